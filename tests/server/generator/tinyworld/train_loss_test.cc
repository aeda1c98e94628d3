#include "server/generator/tinyworld/train_loss.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "server/generator/tinyworld/batch.h"
#include "server/generator/tinyworld/parameters.h"
#include "tests/server/generator/tinyworld/nonzero_parameters.h"
#include "tests/server/generator/tinyworld/torch_device.h"

namespace qvg::tinyworld {
namespace {

struct LossAndGradients {
  double loss = 0;
  std::vector<at::Tensor> gradients;
};

LossAndGradients Differentiate(const Parameters& parameters, const Batch& batch,
                               at::ScalarType type) {
  const at::Device device = batch.poses.device();
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& t : AsList(parameters)) {
    leaves.push_back(t.to(device, false, true).requires_grad_(true));
  }
  at::Generator generator = at::globalContext().defaultGenerator(device);
  generator.set_current_seed(7);
  const at::Tensor loss = TrainingLoss(FromList(leaves), batch, 0, type);
  return {loss.item<double>(), torch::autograd::grad({loss}, leaves)};
}

class FusedLossTest : public testing::TestWithParam<int> {};

// The whole step in BF16 with the fused kernels against FP32 without them.
TEST_P(FusedLossTest, GradientsPointWherePlainOnesDo) {
  if (!at::hasCUDA()) GTEST_SKIP() << "NO GPU: fused kernels were not tested";
  const Parameters parameters = NonzeroParameters();
  const Batch host = TrainingBatch(5, 2, GetParam(), 0.2);
  const Batch batch = {host.cells.to(at::kCUDA), host.poses.to(at::kCUDA),
                       host.actions.to(at::kCUDA)};
  const LossAndGradients fused =
      Differentiate(parameters, batch, at::kBFloat16);
  const LossAndGradients plain = Differentiate(parameters, batch, at::kFloat);
  EXPECT_NEAR(fused.loss, plain.loss, 0.01 * plain.loss);
  for (size_t i = 0; i < plain.gradients.size(); ++i) {
    const at::Tensor a = fused.gradients[i].flatten();
    const at::Tensor b = plain.gradients[i].flatten();
    const double cosine = (a.dot(b) / (a.norm() * b.norm())).item<double>();
    const double size = (a.norm() / b.norm()).item<double>();
    EXPECT_GT(cosine, 0.99) << ParameterTable()[i].name;
    EXPECT_NEAR(size, 1, 0.05) << ParameterTable()[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Frames, FusedLossTest, testing::Values(24, 96, 192));

}  // namespace
}  // namespace qvg::tinyworld
