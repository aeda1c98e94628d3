#ifndef KERNELS_ATTENTION_H_
#define KERNELS_ATTENTION_H_

#include <cstddef>
#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/error.h"
#include "kernels/packed_tensor.h"
#include "kernels/parallel_for.h"
#include "kernels/rotary.h"

namespace qvg::kernels {

// out = softmax(scale * q k^T) v over the keys of all segments in order, one
// softmax, no mask. Segments may mix encodings; packed ones are decoded tile
// by tile, so nothing grows with the history.
struct AttentionArgs {
  int heads = 0;
  int head_dim = 0;     // D: 64, 128 or 256
  int64_t queries = 0;  // N
  float scale = 0;      // usually 1/sqrt(D)
  // Element (n,h,d) is q[n*q_token_stride + h*q_head_stride + d].
  const float* q = nullptr;
  int64_t q_token_stride = 0;
  int64_t q_head_stride = 0;
  const KvSegment* segments = nullptr;
  int num_segments = 0;
  // Turns the keys of all segments as they are read, by their positions;
  // queries come turned. Empty: nothing is turned.
  RotaryTables rotary;
  float* out = nullptr;  // as q
  int64_t out_token_stride = 0;
  int64_t out_head_stride = 0;
  // Natural log of the sum of exponentials of the scaled logits, [H,N]; may
  // be null.
  float* lse = nullptr;
};

// Bytes of workspace that Attention() needs: constant in the history.
size_t AttentionWorkspaceBytes(const AttentionArgs& args,
                               const ParallelFor& parallel_for);

// Fastest version the processor has. A segment list without a single token is
// an error. `workspace` must be 64-byte aligned; `out` must not overlap it or
// any input. FP32 arithmetic; kProduct is rotated to no other space than its
// own. A logit that is NaN or +infinity makes its row of `out` and `lse` NaN;
// one that is -infinity weighs nothing.
Error Attention(const AttentionArgs& args, void* workspace,
                size_t workspace_bytes, ParallelFor& parallel_for);

// The plain version that the fast ones are tested against: same arguments.
Error AttentionReference(const AttentionArgs& args, void* workspace,
                         size_t workspace_bytes, ParallelFor& parallel_for);

// On a device, for `count` problems of the same heads, head_dim, scale and
// rotary in one pass: what a problem gives does not depend on the others, bit
// for bit. `problems` is host memory, its segments device memory that passes
// Check(). Queries, keys, values and weights are rounded to BF16, sums are
// FP32. Workspace: at most 40 MiB, whatever the history.
size_t AttentionCudaWorkspaceBytes(const AttentionArgs* problems, int count);
Error AttentionCuda(const AttentionArgs* problems, int count, void* workspace,
                    size_t workspace_bytes, CudaStream stream);

}  // namespace qvg::kernels

#endif  // KERNELS_ATTENTION_H_
