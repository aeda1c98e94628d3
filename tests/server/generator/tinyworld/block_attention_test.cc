#include "server/generator/tinyworld/block_attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <tuple>
#include <vector>

#include "server/generator/tinyworld/shape.h"
#include "tests/server/generator/tinyworld/torch_device.h"

namespace qvg::tinyworld {
namespace {

bool Sees(int chunk, int earlier, int window) {
  return earlier < chunk && (window == 0 || chunk - earlier <= window);
}

class AttentionPlanTest : public testing::TestWithParam<std::tuple<int, int>> {
};

TEST_P(AttentionPlanTest, CoversEveryPairOnce) {
  const auto [chunks, window] = GetParam();
  std::vector<std::vector<int>> covered(chunks, std::vector<int>(chunks));
  for (const AttentionRectangle& r : AttentionPlan(chunks, window)) {
    ASSERT_EQ(r.queries.groups, r.keys.groups);
    for (int g = 0; g < r.queries.groups; ++g) {
      for (int q = 0; q < r.queries.length; ++q) {
        for (int k = 0; k < r.keys.length; ++k) {
          ++covered[r.queries.first + g * r.queries.stride + q]
                   [r.keys.first + g * r.keys.stride + k];
        }
      }
    }
  }
  for (int q = 0; q < chunks; ++q) {
    for (int k = 0; k < chunks; ++k) {
      EXPECT_EQ(covered[q][k], Sees(q, k, window) ? 1 : 0) << q << " " << k;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionPlanTest,
                         testing::Combine(testing::Values(1, 2, 3, 4, 5, 12, 13,
                                                          24, 48),
                                          testing::Values(0, 3)));

TEST(AttentionPlanTest, LargeHistoriesNeedFewCalls) {
  EXPECT_EQ(AttentionPlan(48, 0).size(), 6);
  EXPECT_EQ(AttentionPlan(48, kWindowChunks).size(), 3);
}

// The same attention by one masked softmax over everything. Copies are
// innermost in the groups: group (s * chunks + c) * 2 + copy.
at::Tensor Mask(int chunks, int window) {
  const at::Tensor mask = at::zeros({chunks * 2, chunks * 2}, at::kBool);
  for (int q = 0; q < chunks; ++q) {
    for (int copy = 0; copy < 2; ++copy) {
      mask[q * 2 + copy][q * 2 + copy] = true;
      for (int k = 0; k < q; ++k) {
        if (Sees(q, k, window)) mask[q * 2 + copy][k * 2] = true;
      }
    }
  }
  return mask.repeat_interleave(kTokens, 0).repeat_interleave(kTokens, 1);
}

at::Tensor MaskedAttention(const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v, int sequences, int window) {
  const auto heads = [&](const at::Tensor& t) {
    return t.view({sequences, -1, kHeads, kHeadDim}).transpose(1, 2);
  };
  const int chunks = static_cast<int>(q.size(0)) / sequences / 2;
  const at::Tensor logits =
      at::matmul(heads(q), heads(k).transpose(-1, -2)) * 0.125;
  const at::Tensor hidden = Mask(chunks, window).logical_not().to(q.device());
  const at::Tensor p = logits.masked_fill(hidden, -1e30).softmax(-1);
  return at::matmul(p, heads(v)).transpose(1, 2).reshape(q.sizes());
}

double RelativeError(const at::Tensor& got, const at::Tensor& expected) {
  return ((got.to(at::kDouble) - expected).norm() / expected.norm())
      .item<double>();
}

class BlockAttentionTest : public testing::TestWithParam<std::tuple<int, int>> {
};

TEST_P(BlockAttentionTest, MatchesMaskedSoftmaxBothWays) {
  const auto [chunks, window] = GetParam();
  constexpr int kSequences = 2;
  if (chunks > 6 && !at::hasCUDA()) GTEST_SKIP() << "NO GPU: too slow";
  const TestTypes types = TestDevice();
  std::vector<at::Tensor> exact, tested;
  for (int i = 0; i < 3; ++i) {
    const at::Tensor t =
        (at::randn({kSequences * chunks * 2, kTokens, kWidth}) * 2)
            .to(types.token_type)
            .to(types.device);
    tested.push_back(t.detach().clone().requires_grad_(true));
    exact.push_back(t.to(at::kFloat).requires_grad_(true));
  }
  const at::Tensor out =
      BlockAttention(tested[0], tested[1], tested[2], kSequences, window);
  const at::Tensor expected =
      MaskedAttention(exact[0], exact[1], exact[2], kSequences, window);
  EXPECT_LT(RelativeError(out, expected), types.tolerance);
  const at::Tensor grad = at::randn_like(expected);
  const auto grads =
      torch::autograd::grad({out}, tested, {grad.to(types.token_type)});
  const auto expected_grads = torch::autograd::grad({expected}, exact, {grad});
  for (int i = 0; i < 3; ++i) {
    EXPECT_LT(RelativeError(grads[i], expected_grads[i]), types.tolerance)
        << "gradient " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, BlockAttentionTest,
                         testing::Combine(testing::Values(1, 2, 3, 5, 6, 12, 24,
                                                          48),
                                          testing::Values(0, 3)));

}  // namespace
}  // namespace qvg::tinyworld
