#include "server/generator/tinyworld/ops.h"

#include <ATen/ATen.h>

#include "server/generator/tinyworld/ops_fused.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

constexpr double kEpsilon = 1e-6;

std::tuple<at::Tensor, at::Tensor> PlainResidualNorm(const at::Tensor& x,
                                                     const at::Tensor& y,
                                                     const at::Tensor& gate,
                                                     const at::Tensor& shift,
                                                     const at::Tensor& scale) {
  const at::Tensor sum = x + gate.unsqueeze(1) * y;
  const at::Tensor norm =
      at::layer_norm(sum, {kWidth}, /*weight=*/{}, /*bias=*/{}, kEpsilon);
  const at::Tensor h = norm * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1);
  return {sum, h.to(y.scalar_type())};
}

// `x` (G,128,256) with `rays` (N,16,256) added and each head normalised.
at::Tensor PlainHeadNorm(const at::Tensor& x, const at::Tensor& rays,
                         const at::Tensor& gain) {
  const at::Tensor sum =
      x.view({rays.size(0), -1, kPairs, kPatches, kPatches, kWidth}) +
      rays.view({-1, 1, kPairs, 1, kPatches, kWidth});
  const at::Tensor heads =
      sum.to(at::kFloat).view({-1, kTokens, kHeads, kHeadDim});
  const at::Tensor mean_square = heads.square().mean(-1, /*keepdim=*/true);
  const at::Tensor unit = heads * (mean_square + kEpsilon).rsqrt();
  return (unit.view({-1, kTokens, kWidth}) * gain).to(x.scalar_type());
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> ResidualNorm(const at::Tensor& x,
                                                const at::Tensor& y,
                                                const at::Tensor& gate,
                                                const at::Tensor& shift,
                                                const at::Tensor& scale) {
  if (FusedOpsAvailable(y)) return FusedResidualNorm(x, y, gate, shift, scale);
  return PlainResidualNorm(x, y, gate, shift, scale);
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> QueryKeyNorm(
    const at::Tensor& qkv, const at::Tensor& rays, const at::Tensor& gain) {
  if (FusedOpsAvailable(qkv)) return FusedQueryKeyNorm(qkv, rays, gain);
  const std::vector<at::Tensor> parts = qkv.chunk(3, -1);
  return {PlainHeadNorm(parts[0].contiguous(), rays.narrow(-1, 0, kWidth),
                        gain.select(0, 0)),
          PlainHeadNorm(parts[1].contiguous(), rays.narrow(-1, kWidth, kWidth),
                        gain.select(0, 1)),
          parts[2].contiguous()};
}

}  // namespace qvg::tinyworld
