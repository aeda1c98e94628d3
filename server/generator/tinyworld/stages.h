#ifndef SERVER_GENERATOR_TINYWORLD_STAGES_H_
#define SERVER_GENERATOR_TINYWORLD_STAGES_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace qvg::tinyworld {

// A part of a training run with one shape of batch. The learning rate goes
// in a straight line from one share of its peak to the other.
struct Stage {
  int frames = 0;
  int batch = 0;
  int64_t steps = 0;
  double first_rate = 0;
  double last_rate = 0;
  double self_context = 0;       // share of the steps
  double there_and_back = 0.19;  // share of the episodes
};

// Parses "FRAMES:BATCH:STEPS:FIRST:LAST[:SELF_CONTEXT[:THERE_AND_BACK]],...",
// for instance "48:24:2000:1:0.8,192:8:900:0.35:0.01:0.5". INVALID_ARGUMENT
// names the part that is out of range.
absl::StatusOr<std::vector<Stage>> ParseStages(absl::string_view text);

int64_t TotalSteps(const std::vector<Stage>& stages);

// What step `step` of the whole run is.
struct PlannedStep {
  int stage = 0;
  double rate = 0;  // share of the peak, warm-up included
  int self_context_rounds = 0;
};
PlannedStep PlanStep(const std::vector<Stage>& stages, uint64_t seed,
                     int64_t step);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_STAGES_H_
