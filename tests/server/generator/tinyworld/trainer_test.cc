#include "server/generator/tinyworld/trainer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/server/generator/tinyworld/torch_device.h"

namespace qvg::tinyworld {
namespace {

constexpr uint64_t kSeed = 3;

std::vector<Stage> SmallPlan(double self_context) {
  Stage stage;
  stage.frames = 20;
  stage.batch = 1;
  stage.steps = 1000;
  stage.first_rate = 1;
  stage.last_rate = 0.5;
  stage.self_context = self_context;
  return {stage};
}

Trainer MakeTrainer(double self_context, bool capture) {
  return Trainer(SmallPlan(self_context), kSeed, TestDevice().device, capture,
                 InitialParameters(kSeed));
}

TEST(TrainerTest, SelfContextGivesAFiniteLoss) {
  Trainer trainer = MakeTrainer(1, false);
  trainer.TrainStep();
  EXPECT_TRUE(std::isfinite(trainer.Loss()));
  EXPECT_GT(trainer.Loss(), 0);
}

TEST(TrainerTest, AResumedRunGoesOnAsIfNeverStopped) {
  const std::string path =
      (std::filesystem::path(testing::TempDir()) / "trainer_test.state")
          .string();
  Trainer whole = MakeTrainer(0, false);
  whole.TrainStep();
  ASSERT_TRUE(whole.Save(path).ok());
  whole.TrainStep();
  Trainer resumed = MakeTrainer(0, false);
  ASSERT_TRUE(resumed.Restore(path).ok());
  EXPECT_EQ(resumed.step(), 1);
  resumed.TrainStep();
  EXPECT_NEAR(resumed.Loss(), whole.Loss(), 1e-3 * whole.Loss());
  std::filesystem::remove(path);
}

TEST(TrainerTest, DamagedStateIsRefused) {
  Trainer trainer = MakeTrainer(0, false);
  const absl::Status status = trainer.Restore("/nonexistent/state");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(trainer.step(), 0);
}

TEST(TrainerTest, CapturedStepsAgreeWithEagerOnes) {
  if (!at::hasCUDA()) GTEST_SKIP() << "NO GPU: capture was not tested";
  for (const double self_context : {0.0, 1.0}) {
    Trainer eager = MakeTrainer(self_context, false);
    Trainer captured = MakeTrainer(self_context, true);
    for (int i = 0; i < 8; ++i) {
      eager.TrainStep();
      captured.TrainStep();
      EXPECT_NEAR(captured.Loss(), eager.Loss(), 0.02 * eager.Loss()) << i;
    }
  }
}

}  // namespace
}  // namespace qvg::tinyworld
