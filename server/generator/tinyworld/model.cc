#include "server/generator/tinyworld/model.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

#include "server/generator/tinyworld/maze.h"
#include "server/generator/tinyworld/ops.h"
#include "server/generator/tinyworld/raycaster.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

constexpr double kLongestPeriod = 10000;
constexpr double kLevelScale = 1000;

// (8): angle between the heading and the middle of each patch column.
at::Tensor ColumnAngles(const at::Device& device) {
  const at::Tensor middle =
      at::arange(kPatches, at::TensorOptions(at::kFloat).device(device)) *
          kPatch +
      (kPatch - 1) / 2.0;
  return ((middle * (2.0 / (kFrameSize - 1)) - 1) * kPlane).atan();
}

// 1, 2, 4, 8 times `values` (...): (...,4).
at::Tensor Octaves(const at::Tensor& values) {
  return values.unsqueeze(-1) * at::exp2(at::arange(4, values.options()));
}

// Sinusoids of 1000 * level: (G,128).
at::Tensor LevelFeatures(const at::Tensor& levels) {
  const at::Tensor exponent = at::arange(kFrequencies, levels.options()) *
                              (-std::log(kLongestPeriod) / kFrequencies);
  const at::Tensor phase =
      (levels * kLevelScale).unsqueeze(-1) * exponent.exp();
  return at::cat({phase.sin(), phase.cos()}, -1);
}

at::Tensor LevelEmbedding(const Parameters& p, const at::Tensor& levels) {
  const at::Tensor hidden =
      at::silu(at::linear(LevelFeatures(levels), p.level_in, p.level_bias));
  return at::linear(hidden, p.level_out, p.level_out_bias);
}

// (N,4,5) x (4,5,256), summed over the frames of a pair: (N,2,256).
at::Tensor ActionEmbedding(const Parameters& p, const at::Tensor& actions) {
  const at::Tensor ids =
      at::arange(kActions, p.actions.options().dtype(actions.scalar_type()));
  const at::Tensor one_hot =
      (actions.unsqueeze(-1) == ids).to(at::kFloat).transpose(0, 1);
  return at::bmm(one_hot, p.actions)
      .view({kPairs, kFramesPerToken, -1, kWidth})
      .sum(1)
      .transpose(0, 1);
}

}  // namespace

at::Tensor RayFeatures(const at::Tensor& poses) {
  const at::Tensor x = poses.select(-1, 0).unsqueeze(-1);
  const at::Tensor y = poses.select(-1, 1).unsqueeze(-1);
  const at::Tensor phi =
      poses.select(-1, 2).unsqueeze(-1) + ColumnAngles(poses.device());
  const at::Tensor moment = x * phi.sin() - y * phi.cos();
  const at::Tensor place =
      at::stack({x.expand_as(phi), y.expand_as(phi), moment}, -1);
  const at::Tensor angles = Octaves(phi);  // (N,4,8,4)
  const at::Tensor phases =
      Octaves(place * (std::numbers::pi / 8)).flatten(-2);  // (N,4,8,12)
  const at::Tensor features =
      at::cat({angles.cos(), angles.sin(), phases.sin(), phases.cos()}, -1);
  return features.view({-1, kPairs, kFramesPerToken, kPatches, kRayValues})
      .transpose(2, 3)
      .reshape({-1, kRayPlaces, kFramesPerToken * kRayValues});
}

Conditions MakeConditions(const Parameters& p, const at::Tensor& poses,
                          const at::Tensor& actions) {
  const at::Tensor rays = RayFeatures(poses).to(p.rays_in.scalar_type());
  const at::Tensor by_place = at::linear(rays, p.rays_in)
                                  .to(at::kFloat)
                                  .view({-1, kPairs, 1, kPatches, kWidth});
  const at::Tensor by_pair =
      ActionEmbedding(p, actions).view({-1, kPairs, 1, 1, kWidth});
  const at::Tensor by_token =
      p.positions.view({kPairs, kPatches, kPatches, kWidth});
  Conditions conditions;
  conditions.tokens =
      (by_token + by_place + by_pair).view({-1, kTokens, kWidth});
  const std::vector<at::Tensor> block_rays = p.block_rays.unbind(0);
  const std::vector<at::Tensor> weights = p.query_key_value.unbind(0);
  for (int i = 0; i < kBlocks; ++i) {
    conditions.rays.push_back(at::linear(at::linear(rays, block_rays[i]),
                                         weights[i].narrow(0, 0, 2 * kWidth)));
  }
  return conditions;
}

at::Tensor Predict(const Parameters& p, const Conditions& conditions,
                   const at::Tensor& tokens, const at::Tensor& levels,
                   const AttentionFn& attention) {
  const int64_t copies = tokens.size(1);
  const at::Tensor level = LevelEmbedding(p, levels.flatten());  // (G,256)
  const at::Tensor shared =
      at::linear(at::silu(level), p.modulation, p.modulation_bias)
          .view({-1, 6, kWidth});
  const std::vector<at::Tensor> tables = p.block_modulation.unbind(0);
  const std::vector<at::Tensor> qkv_weights = p.query_key_value.unbind(0);
  const std::vector<at::Tensor> gains = p.query_key_gain.unbind(0);
  const std::vector<at::Tensor> out_weights = p.attention_out.unbind(0);
  const std::vector<at::Tensor> up_weights = p.mlp_up.unbind(0);
  const std::vector<at::Tensor> down_weights = p.mlp_down.unbind(0);

  at::Tensor x = conditions.tokens.unsqueeze(1)
                     .expand({-1, copies, -1, -1})
                     .reshape({-1, kTokens, kWidth});
  at::Tensor y =
      at::linear(at::linear(tokens.flatten(0, 1), p.pixels_in), p.tokens_in);
  at::Tensor gate =
      at::ones({1, kWidth}, level.options()).expand({x.size(0), kWidth});
  at::Tensor h;
  for (int i = 0; i < kBlocks; ++i) {
    const std::vector<at::Tensor> m = (shared + tables[i]).unbind(1);
    std::tie(x, h) = ResidualNorm(x, y, gate, m[0], m[1]);
    const auto [q, k, v] = QueryKeyNorm(at::linear(h, qkv_weights[i]),
                                        conditions.rays[i], gains[i]);
    const at::Tensor attended = attention(i, q, k, v);
    if (!attended.defined()) return {};
    y = at::linear(attended, out_weights[i]);
    std::tie(x, h) = ResidualNorm(x, y, m[2], m[3], m[4]);
    y = at::linear(at::gelu(at::linear(h, up_weights[i]), "tanh"),
                   down_weights[i]);
    gate = m[5];
  }
  const std::vector<at::Tensor> last =
      (level.unsqueeze(1) + p.head_modulation).unbind(1);
  std::tie(x, h) = ResidualNorm(x, y, gate, last[0], last[1]);
  return at::linear(h, p.head, p.head_bias).view_as(tokens);
}

}  // namespace qvg::tinyworld
