#ifndef SERVER_GENERATOR_TINYWORLD_OPS_H_
#define SERVER_GENERATOR_TINYWORLD_OPS_H_

#include <ATen/core/Tensor.h>

#include <tuple>

namespace qvg::tinyworld {

// The model's steps between matrix products, differentiable: one kernel each
// way on a GPU (BF16 tokens), plain tensor operations elsewhere (FP32).
// G groups of 128 tokens of width 256.

// x + gate * y, FP32, and LayerNorm(that) * (1 + scale) + shift in the type of
// y. x and y are (G,128,256); gate, shift and scale are (G,256), FP32.
std::tuple<at::Tensor, at::Tensor> ResidualNorm(const at::Tensor& x,
                                                const at::Tensor& y,
                                                const at::Tensor& gate,
                                                const at::Tensor& shift,
                                                const at::Tensor& scale);

// Splits `qkv` (G,128,768), adds `rays` (N,16,512) to Q and K of their places
// (G is a multiple of N, copies innermost), and scales each head of Q and K
// to RMS 1, then by `gain` (2,256). Q, K and V are (G,128,256).
std::tuple<at::Tensor, at::Tensor, at::Tensor> QueryKeyNorm(
    const at::Tensor& qkv, const at::Tensor& rays, const at::Tensor& gain);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_OPS_H_
