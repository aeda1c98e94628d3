#ifndef SERVER_GENERATOR_TINYWORLD_FLASH_H_
#define SERVER_GENERATOR_TINYWORLD_FLASH_H_

#include <ATen/core/Tensor.h>

namespace qvg::tinyworld {

// Unmasked attention with scale 1/8: LibTorch's flash kernels for BF16 on a
// GPU, matrix products elsewhere. q is (B,N,4,64), k and v (B,M,4,64), any
// strides with the last one 1.

struct FlashResult {
  at::Tensor out;  // (B,N,4,64)
  at::Tensor lse;  // (B,4,N) FP32: log of the sum of exponentials
};
FlashResult FlashForward(const at::Tensor& q, const at::Tensor& k,
                         const at::Tensor& v);

struct FlashGrads {
  at::Tensor q, k, v;
};

// Gradients of one part of an attention over more keys: `out` and `lse` are
// those of the whole (Liu, Zaharia, Abbeel 2023, blockwise backward pass).
FlashGrads FlashBackward(const at::Tensor& out_grad, const at::Tensor& q,
                         const at::Tensor& k, const at::Tensor& v,
                         const at::Tensor& out, const at::Tensor& lse);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_FLASH_H_
