#ifndef SERVER_GENERATOR_TINYWORLD_BLOCK_ATTENTION_H_
#define SERVER_GENERATOR_TINYWORLD_BLOCK_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "server/generator/tinyworld/ops_fused.h"

namespace qvg::tinyworld {

// Queries of chunks (both copies) times clean keys of earlier chunks: the
// g-th group of each side belong together, all pairs unmasked.
struct AttentionRectangle {
  ChunkRange queries;
  ChunkRange keys;  // same stride and groups
};

// Rectangles that together cover, once each, every pair of a chunk and an
// earlier one at most `window` chunks back (0: any distance). Few and large:
// without a window, half of each group of 2^l chunks attends to the other.
std::vector<AttentionRectangle> AttentionPlan(int chunks, int window);

// Training's attention: `sequences` of `chunks` chunks, each in a clean and a
// noised copy. Both copies of a chunk attend to themselves and to the clean
// copies of the chunks before, at most `window` back (0: all). q, k, v and
// the result are (sequences * chunks * 2,128,256), the copy innermost.
// Differentiable; memory linear in `chunks`.
at::Tensor BlockAttention(const at::Tensor& q, const at::Tensor& k,
                          const at::Tensor& v, int sequences, int window);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_BLOCK_ATTENTION_H_
