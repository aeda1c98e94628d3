#ifndef SERVER_GENERATOR_TINYWORLD_OPS_FUSED_H_
#define SERVER_GENERATOR_TINYWORLD_OPS_FUSED_H_

#include <ATen/core/Tensor.h>

#include <tuple>

namespace qvg::tinyworld {

// The one-kernel versions behind ops.h.

// Whether tokens of this type and device have them: BF16 on a GPU, in a build
// with device code.
bool FusedOpsAvailable(const at::Tensor& tokens);

// Only if FusedOpsAvailable(y) or (qkv). Throw c10::Error where the device
// does.
std::tuple<at::Tensor, at::Tensor> FusedResidualNorm(const at::Tensor& x,
                                                     const at::Tensor& y,
                                                     const at::Tensor& gate,
                                                     const at::Tensor& shift,
                                                     const at::Tensor& scale);
std::tuple<at::Tensor, at::Tensor, at::Tensor> FusedQueryKeyNorm(
    const at::Tensor& qkv, const at::Tensor& rays, const at::Tensor& gain);

// Folds the partial attention result `partial_out` (S*groups,
// length*W,4,64), `partial_lse` (S*groups,4,length*W) of the queries of chunks
// first + g * stride + [0, length) into `out` (S,C,W,4,64) FP32 and `lse`
// (S,C,4,W), in place.
struct ChunkRange {
  int first = 0;
  int stride = 0;
  int groups = 0;
  int length = 0;
};
void FusedMerge(const ChunkRange& range, const at::Tensor& partial_out,
                const at::Tensor& partial_lse, const at::Tensor& out,
                const at::Tensor& lse);

// Draws (B,T) poses in B mazes `cells` (B,144) into `tokens`
// (B*T/4,128,1536), all contiguous on a GPU.
void FusedRender(const at::Tensor& cells, const at::Tensor& poses,
                 const at::Tensor& tokens);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_OPS_FUSED_H_
