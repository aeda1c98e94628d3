#include "server/generator/tinyworld/ops.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <vector>

#include "server/generator/tinyworld/shape.h"
#include "tests/server/generator/tinyworld/torch_device.h"

namespace qvg::tinyworld {
namespace {

using Tensors = std::vector<at::Tensor>;
using Op = std::function<Tensors(const Tensors&)>;

double RelativeError(const at::Tensor& got, const at::Tensor& expected) {
  return ((got.to(at::kCPU, at::kDouble) - expected.to(at::kCPU)).norm() /
          expected.norm().to(at::kCPU))
      .item<double>();
}

// Runs `op` on the test's device and in FP64 with `reference`, and compares
// outputs and gradients. `on_tokens[i]` says that input i has the token type.
void Compare(const Op& op, const Op& reference, const Tensors& inputs,
             const std::vector<bool>& on_tokens) {
  const TestTypes types = TestDevice();
  Tensors tested, exact;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const at::Tensor t = inputs[i].to(
        types.device, on_tokens[i] ? types.token_type : at::kFloat);
    tested.push_back(t.clone().requires_grad_(true));
    exact.push_back(t.to(at::kCPU, at::kDouble).requires_grad_(true));
  }
  const Tensors out = op(tested);
  const Tensors expected = reference(exact);
  Tensors grads, exact_grads;
  for (size_t i = 0; i < out.size(); ++i) {
    EXPECT_LT(RelativeError(out[i], expected[i]), types.tolerance) << i;
    exact_grads.push_back(at::randn_like(expected[i]));
    grads.push_back(exact_grads.back().to(out[i].options()));
  }
  const Tensors got = torch::autograd::grad(out, tested, grads);
  const Tensors wanted = torch::autograd::grad(expected, exact, exact_grads);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_LT(RelativeError(got[i], wanted[i]), types.tolerance)
        << "gradient " << i;
  }
}

TEST(OpsTest, ResidualNormMatchesItsFormula) {
  constexpr int kGroups = 3;
  const Tensors inputs = {
      at::randn({kGroups, kTokens, kWidth}) + 0.5,
      at::randn({kGroups, kTokens, kWidth}), at::randn({kGroups, kWidth}),
      at::randn({kGroups, kWidth}), at::randn({kGroups, kWidth})};
  const Op op = [](const Tensors& t) -> Tensors {
    const auto [x, h] = ResidualNorm(t[0], t[1], t[2], t[3], t[4]);
    return {x, h};
  };
  const Op reference = [](const Tensors& t) -> Tensors {
    const at::Tensor x = t[0] + t[2].unsqueeze(1) * t[1];
    const at::Tensor centred = x - x.mean(-1, true);
    const at::Tensor unit =
        centred / (centred.square().mean(-1, true) + 1e-6).sqrt();
    return {x, unit * (1 + t[4].unsqueeze(1)) + t[3].unsqueeze(1)};
  };
  Compare(op, reference, inputs, {false, true, false, false, false});
}

TEST(OpsTest, ResidualNormTakesRowsOfALargerMatrix) {
  const at::Tensor rows = at::randn({2, 6, kWidth});
  const at::Tensor x = at::randn({2, kTokens, kWidth});
  const auto strided = ResidualNorm(x, x, rows.select(1, 2), rows.select(1, 0),
                                    rows.select(1, 1));
  const auto dense = ResidualNorm(x, x, rows.select(1, 2).contiguous(),
                                  rows.select(1, 0).contiguous(),
                                  rows.select(1, 1).contiguous());
  EXPECT_TRUE(std::get<1>(strided).equal(std::get<1>(dense)));
}

TEST(OpsTest, QueryKeyNormMatchesItsFormula) {
  constexpr int kChunks = 2;
  constexpr int kGroups = 2 * kChunks;
  const Tensors inputs = {at::randn({kGroups, kTokens, 3 * kWidth}),
                          at::randn({kChunks, kRayPlaces, 2 * kWidth}),
                          at::randn({2, kWidth})};
  const Op op = [](const Tensors& t) -> Tensors {
    const auto [q, k, v] = QueryKeyNorm(t[0], t[1], t[2]);
    return {q, k, v};
  };
  const Op reference = [](const Tensors& t) -> Tensors {
    // Token (pair, row, column) has the rays of place (pair, column).
    const at::Tensor rays =
        t[1].view({kChunks, 1, kPairs, 1, kPatches, 2, kWidth})
            .expand({-1, 2, -1, kPatches, -1, -1, -1})
            .reshape({kGroups, kTokens, 2, kWidth});
    Tensors out;
    for (int part = 0; part < 2; ++part) {
      const at::Tensor x =
          (t[0].narrow(-1, part * kWidth, kWidth) + rays.select(2, part))
              .view({kGroups, kTokens, kHeads, kHeadDim});
      const at::Tensor unit = x / (x.square().mean(-1, true) + 1e-6).sqrt();
      out.push_back(unit.flatten(2) * t[2][part]);
    }
    out.push_back(t[0].narrow(-1, 2 * kWidth, kWidth));
    return out;
  };
  Compare(op, reference, inputs, {true, true, false});
}

}  // namespace
}  // namespace qvg::tinyworld
