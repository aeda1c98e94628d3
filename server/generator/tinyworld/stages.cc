#include "server/generator/tinyworld/stages.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/generator/tinyworld/episode.h"
#include "server/generator/tinyworld/random.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

constexpr int64_t kWarmUpSteps = 200;
constexpr int kShortestEpisode = 20;  // frames

bool InRange(const Stage& s) {
  return s.frames >= kShortestEpisode && s.frames % kFramesPerChunk == 0 &&
         s.batch > 0 && s.steps > 0 && s.first_rate > 0 && s.first_rate <= 1 &&
         s.last_rate > 0 && s.last_rate <= 1 && s.self_context >= 0 &&
         s.self_context <= 1 && s.there_and_back >= 0 &&
         s.there_and_back <= 1 - kTurningShare;
}

absl::StatusOr<Stage> ParseStage(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  Stage s;
  const bool parsed =
      parts.size() >= 5 && parts.size() <= 7 &&
      absl::SimpleAtoi(parts[0], &s.frames) &&
      absl::SimpleAtoi(parts[1], &s.batch) &&
      absl::SimpleAtoi(parts[2], &s.steps) &&
      absl::SimpleAtod(parts[3], &s.first_rate) &&
      absl::SimpleAtod(parts[4], &s.last_rate) &&
      (parts.size() < 6 || absl::SimpleAtod(parts[5], &s.self_context)) &&
      (parts.size() < 7 || absl::SimpleAtod(parts[6], &s.there_and_back));
  if (!parsed || !InRange(s)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "stages: '", text, "' is no FRAMES:BATCH:STEPS:FIRST:LAST",
        "[:SELF_CONTEXT[:THERE_AND_BACK]] with frames a multiple of 4 of at "
        "least ",
        kShortestEpisode, ", rates in (0,1], self-context in [0,1] and ",
        "there-and-back in [0,", 1 - kTurningShare, "]"));
  }
  return s;
}

}  // namespace

absl::StatusOr<std::vector<Stage>> ParseStages(absl::string_view text) {
  std::vector<Stage> stages;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const absl::StatusOr<Stage> stage = ParseStage(part);
    if (!stage.ok()) return stage.status();
    stages.push_back(*stage);
  }
  return stages;
}

int64_t TotalSteps(const std::vector<Stage>& stages) {
  int64_t steps = 0;
  for (const Stage& stage : stages) steps += stage.steps;
  return steps;
}

PlannedStep PlanStep(const std::vector<Stage>& stages, uint64_t seed,
                     int64_t step) {
  PlannedStep plan;
  int64_t begin = 0;
  while (step - begin >= stages[plan.stage].steps) {
    begin += stages[plan.stage++].steps;
  }
  const Stage& stage = stages[plan.stage];
  const double share =
      static_cast<double>(step - begin) / static_cast<double>(stage.steps);
  const double warm_up = std::min(
      1.0, static_cast<double>(step + 1) / static_cast<double>(kWarmUpSteps));
  plan.rate = warm_up *
              (stage.first_rate + share * (stage.last_rate - stage.first_rate));
  Random random(seed + static_cast<uint64_t>(step));
  if (random.Uniform() < stage.self_context) {
    plan.self_context_rounds = 1 + random.Below(2);
  }
  return plan;
}

}  // namespace qvg::tinyworld
