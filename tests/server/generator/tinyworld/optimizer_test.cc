#include "server/generator/tinyworld/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "server/generator/tinyworld/batch.h"
#include "server/generator/tinyworld/train_loss.h"

namespace qvg::tinyworld {
namespace {

class OrthogonalizedTest : public testing::TestWithParam<int> {};

TEST_P(OrthogonalizedTest, BringsSingularValuesNearOne) {
  const at::Tensor x = at::randn({2, GetParam(), 32}) * 0.01;
  const at::Tensor y = Orthogonalized(x);
  ASSERT_EQ(y.sizes(), x.sizes());
  const at::Tensor values = at::linalg_svdvals(y);
  EXPECT_LT(values.max().item<double>(), 1.3);
  // Tiny singular values of a square matrix may stay behind.
  EXPECT_GT(values.median().item<double>(), 0.6);
}

TEST_P(OrthogonalizedTest, KeepsTheSingularVectors) {
  const at::Tensor x = at::randn({1, GetParam(), 32});
  const at::Tensor y = Orthogonalized(x);
  const auto [u, s, vh] = at::linalg_svd(x, /*full_matrices=*/false);
  const at::Tensor core =
      at::matmul(at::matmul(u.transpose(1, 2), y), vh.transpose(1, 2))[0];
  const at::Tensor off = core - core.diag().diag();
  EXPECT_LT(off.abs().max().item<double>(), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Rows, OrthogonalizedTest,
                         testing::Values(16, 32, 128));

struct Leaves {
  std::vector<at::Tensor> list;
  Parameters parameters;
};

Leaves MakeLeaves() {
  Leaves leaves;
  for (const at::Tensor& t : AsList(InitialParameters(1))) {
    leaves.list.push_back(t.clone().requires_grad_(true));
  }
  leaves.parameters = FromList(leaves.list);
  return leaves;
}

TEST(OptimizerTest, LowersTheLossOfTheSameBatch) {
  const Leaves leaves = MakeLeaves();
  Optimizer optimizer(leaves.parameters);
  const Batch batch = TrainingBatch(1, 1, 20, 0.2);
  std::vector<double> losses;
  for (int64_t step = 0; step < 4; ++step) {
    at::manual_seed(5);  // the same noise
    const at::Tensor loss =
        TrainingLoss(leaves.parameters, batch, 0, at::kFloat);
    losses.push_back(loss.item<double>());
    optimizer.Prepare(step, 1);
    optimizer.Step(torch::autograd::grad({loss}, leaves.list));
  }
  EXPECT_LT(losses.back(), 0.95 * losses.front());
}

TEST(OptimizerTest, AverageFollowsAtTheRampedRate) {
  const Leaves leaves = MakeLeaves();
  Optimizer optimizer(leaves.parameters);
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& t : leaves.list) {
    gradients.push_back(at::ones_like(t));
  }
  const at::Tensor start = leaves.parameters.positions.detach().clone();
  optimizer.Prepare(20, 1);  // weight of the newest: 1 - 20/40
  optimizer.Step(gradients);
  const at::Tensor newest = leaves.parameters.positions.detach();
  EXPECT_FALSE(newest.equal(start));
  EXPECT_TRUE(optimizer.average().positions.allclose((start + newest) / 2));
}

TEST(OptimizerTest, AdamStepsByTheRateAgainstTheGradient) {
  const Leaves leaves = MakeLeaves();
  Optimizer optimizer(leaves.parameters);
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& t : leaves.list) {
    gradients.push_back(at::ones_like(t));
  }
  optimizer.Prepare(0, 0.5);
  optimizer.Step(gradients);
  // A first AdamW step of a zero-valued parameter is the rate itself.
  EXPECT_TRUE(leaves.parameters.head_bias.detach().allclose(
      at::full_like(leaves.parameters.head_bias, -0.5 * 1.2e-3), 1e-3));
}

TEST(OptimizerTest, StateHoldsParametersFirst) {
  const Leaves leaves = MakeLeaves();
  const Optimizer optimizer(leaves.parameters);
  const std::vector<at::Tensor> state = optimizer.State();
  ASSERT_GT(state.size(), 3 * leaves.list.size());
  EXPECT_TRUE(state.front().is_same(leaves.list.front()));
}

}  // namespace
}  // namespace qvg::tinyworld
