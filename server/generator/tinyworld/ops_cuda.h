#ifndef SERVER_GENERATOR_TINYWORLD_OPS_CUDA_H_
#define SERVER_GENERATOR_TINYWORLD_OPS_CUDA_H_

#include <cstdint>

#include "kernels/error.h"

namespace qvg::tinyworld {

// Launchers of the kernels behind ops.h and block_attention.h. All pointers
// are device memory; `void*` tensors are BF16, contiguous; `stream` is a
// cudaStream_t. groups > 0.

// Row g of a (G,256) matrix begins at data + g * stride.
struct Rows {
  const float* data = nullptr;
  int64_t stride = 0;
};

struct ResidualNormArgs {
  int groups = 0;
  const float* x = nullptr;
  const void* y = nullptr;
  Rows gate, shift, scale;
  float* x_out = nullptr;
  void* h = nullptr;
};
kernels::Error ResidualNormForward(const ResidualNormArgs& args, void* stream);

struct ResidualNormGradArgs {
  int groups = 0;
  const float* x_out = nullptr;  // as computed by the forward pass
  const void* y = nullptr;
  Rows gate, scale;
  const float* x_out_grad = nullptr;  // null: zero
  const void* h_grad = nullptr;
  float* x_grad = nullptr;
  void* y_grad = nullptr;
  float* gate_grad = nullptr;  // (G,256), as the next two
  float* shift_grad = nullptr;
  float* scale_grad = nullptr;
};
kernels::Error ResidualNormBackward(const ResidualNormGradArgs& args,
                                    void* stream);

struct QueryKeyNormArgs {
  int groups = 0;
  int copies = 1;
  const void* qkv = nullptr;
  const void* rays = nullptr;
  const float* gain = nullptr;
  void* q = nullptr;
  void* k = nullptr;
  void* v = nullptr;
};
kernels::Error QueryKeyNormForward(const QueryKeyNormArgs& args, void* stream);

struct QueryKeyNormGradArgs {
  int groups = 0;
  int copies = 1;
  const void* qkv = nullptr;
  const void* rays = nullptr;
  const float* gain = nullptr;
  const void* q_grad = nullptr;
  const void* k_grad = nullptr;
  const void* v_grad = nullptr;
  void* qkv_grad = nullptr;
  float* rays_grad = nullptr;  // (G,16,512)
  float* gain_grad = nullptr;  // (G,2,256)
};
kernels::Error QueryKeyNormBackward(const QueryKeyNormGradArgs& args,
                                    void* stream);

// Folds a partial attention result into an accumulated one. Query w of chunk
// first + g * stride + i of sequence b is row (((b*groups)+g)*length+i)*
// chunk_queries + w of the partial.
struct MergeArgs {
  int sequences = 0;
  int chunks = 0;  // of a sequence
  int chunk_queries = 0;
  int first = 0;
  int stride = 0;
  int groups = 0;
  int length = 0;
  const void* partial_out = nullptr;   // (rows,256)
  const float* partial_lse = nullptr;  // (b*groups+g,4,length*chunk_queries)
  float* out = nullptr;                // (sequences*chunks,chunk_queries,256)
  float* lse = nullptr;                // (sequences*chunks,4,chunk_queries)
};
kernels::Error MergeAttention(const MergeArgs& args, void* stream);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_OPS_CUDA_H_
