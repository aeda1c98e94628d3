#include "server/generator/tinyworld/stages.h"

#include <gtest/gtest.h>

#include <array>

#include "server/generator/tinyworld/sampler.h"

namespace qvg::tinyworld {
namespace {

TEST(ParseStagesTest, ReadsEveryField) {
  const auto stages =
      ParseStages("48:24:2000:1:0.8,192:8:900:0.35:0.01:0.5:0.4");
  ASSERT_TRUE(stages.ok()) << stages.status();
  ASSERT_EQ(stages->size(), 2);
  const Stage& s = (*stages)[1];
  EXPECT_EQ(s.frames, 192);
  EXPECT_EQ(s.batch, 8);
  EXPECT_EQ(s.steps, 900);
  EXPECT_EQ(s.first_rate, 0.35);
  EXPECT_EQ(s.last_rate, 0.01);
  EXPECT_EQ(s.self_context, 0.5);
  EXPECT_EQ((*stages)[0].self_context, 0);
  EXPECT_EQ(s.there_and_back, 0.4);
  EXPECT_EQ((*stages)[0].there_and_back, 0.19);
  EXPECT_EQ(TotalSteps(*stages), 2900);
}

TEST(ParseStagesTest, RefusesWhatIsOutOfRange) {
  for (const char* text :
       {"", "48", "48:24:2000:1", "47:24:2000:1:1", "16:24:2000:1:1",
        "48:0:2000:1:1", "48:24:-1:1:1", "48:24:10:0:1", "48:24:10:1:2",
        "48:24:10:1:1:1.5", "48:24:10:1:1:0:0.8", "48:24:10:1:1:0:0:0",
        "48:24:10:1:1,", "a:b:c:d:e"}) {
    EXPECT_EQ(ParseStages(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(PlanStepTest, WarmsUpThenFollowsTheLine) {
  const auto stages = *ParseStages("48:24:1000:1:0.5,96:16:100:0.5:0.1");
  EXPECT_NEAR(PlanStep(stages, 1, 0).rate, 1.0 / 200, 1e-9);
  EXPECT_NEAR(PlanStep(stages, 1, 99).rate, 0.5 * (1 - 0.5 * 0.099), 1e-9);
  EXPECT_NEAR(PlanStep(stages, 1, 500).rate, 0.75, 1e-9);
  EXPECT_EQ(PlanStep(stages, 1, 999).stage, 0);
  EXPECT_EQ(PlanStep(stages, 1, 1000).stage, 1);
  EXPECT_NEAR(PlanStep(stages, 1, 1050).rate, 0.3, 1e-9);
}

TEST(PlanStepTest, SelfContextIsDrawnPerStepFromTheSeed) {
  const auto stages = *ParseStages("48:24:4000:1:1:0.5");
  std::array<int, 3> counts{};
  for (int64_t step = 0; step < 4000; ++step) {
    const int rounds = PlanStep(stages, 9, step).self_context_rounds;
    EXPECT_EQ(rounds, PlanStep(stages, 9, step).self_context_rounds);
    ++counts[rounds];
  }
  EXPECT_NEAR(counts[0], 2000, 150);
  EXPECT_NEAR(counts[1], 1000, 150);
  EXPECT_NEAR(counts[2], 1000, 150);
}

TEST(SamplingLevelsTest, FallFromALittleLessThanOne) {
  for (const int steps : {2, 3, 4, 6}) {
    const auto levels = SamplingLevels(steps);
    ASSERT_EQ(levels.size(), steps);
    EXPECT_LT(levels.front(), 1);
    EXPECT_GT(levels.front(), 0.9);
    for (int i = 1; i < steps; ++i) EXPECT_LT(levels[i], levels[i - 1]);
    EXPECT_GT(levels.back(), 0);
  }
  for (const int steps : {-1, 0, 1, 5, 7}) {
    EXPECT_TRUE(SamplingLevels(steps).empty()) << steps;
  }
}

}  // namespace
}  // namespace qvg::tinyworld
