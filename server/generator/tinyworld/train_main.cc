#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "server/generator/tinyworld/command_line.h"
#include "server/generator/tinyworld/stages.h"
#include "server/generator/tinyworld/trainer.h"
#include "server/generator/tinyworld/weights_file.h"

ABSL_FLAG(std::string, stages, "",
          "FRAMES:BATCH:STEPS:FIRST:LAST[:SELF_CONTEXT[:THERE_AND_BACK]],... "
          "with the learning rate's first and last share of its peak, the "
          "share of steps with self-made context and of episodes that go "
          "there and back");
ABSL_FLAG(std::string, out, "",
          "prefix of what is written after each stage: PREFIX.safetensors, "
          "the averaged weights, and PREFIX.state, to resume from");
ABSL_FLAG(std::string, resume, "", "a state to go on from");
ABSL_FLAG(std::string, weights, "", "weights to start from");
ABSL_FLAG(uint64_t, seed, 1, "of the first weights, the episodes and noise");
ABSL_FLAG(std::string, device, "cpu", "cpu, cuda or cuda:N");
ABSL_FLAG(bool, capture, true, "run each step as one CUDA graph (GPU only)");
ABSL_FLAG(int64_t, log_steps, 50, "steps between two lines of the log");

namespace qvg::tinyworld {
namespace {

using Clock = std::chrono::steady_clock;

// An untrained model's is about 1, whatever the batch.
constexpr double kDiverged = 5;

absl::StatusOr<Parameters> Start() {
  const std::string path = absl::GetFlag(FLAGS_weights);
  if (path.empty()) return InitialParameters(absl::GetFlag(FLAGS_seed));
  return LoadWeights(path);
}

// Prints the loss and the mean time of a step since the last line, which
// waits for the device.
class Log {
 public:
  // ABORTED if the run has diverged.
  absl::Status Line(const Trainer& trainer, int64_t total) {
    const double loss = trainer.Loss();
    const Clock::time_point now = Clock::now();
    const double ms =
        std::chrono::duration<double, std::milli>(now - last_).count();
    std::fprintf(stderr, "step %lld/%lld loss %.5f %.1f ms/step %.0f s\n",
                 static_cast<long long>(trainer.step()),
                 static_cast<long long>(total), loss,
                 ms / static_cast<double>(trainer.step() - last_step_),
                 std::chrono::duration<double>(now - start_).count());
    last_ = now;
    last_step_ = trainer.step();
    if (loss < kDiverged) return absl::OkStatus();
    return absl::AbortedError(absl::StrCat(
        "loss: ", loss, " at step ", last_step_, ", at most ", kDiverged));
  }

  void Resume(int64_t step) { last_step_ = step; }

 private:
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
  int64_t last_step_ = 0;
};

absl::Status SaveAll(const Trainer& trainer) {
  const std::string prefix = absl::GetFlag(FLAGS_out);
  const absl::Status status =
      SaveWeights(trainer.Average(), prefix + ".safetensors");
  if (!status.ok()) return status;
  return trainer.Save(prefix + ".state");
}

absl::Status RunPlan(Trainer& trainer, const std::vector<Stage>& stages) {
  const int64_t total = TotalSteps(stages);
  Log log;
  log.Resume(trainer.step());
  int64_t stage_end = 0;
  for (const Stage& stage : stages) {
    stage_end += stage.steps;
    if (trainer.step() >= stage_end) continue;
    while (trainer.step() < stage_end) {
      trainer.TrainStep();
      if (trainer.step() % absl::GetFlag(FLAGS_log_steps) == 0 ||
          trainer.step() == total) {
        const absl::Status status = log.Line(trainer, total);
        if (!status.ok()) return status;
      }
    }
    const absl::Status status = SaveAll(trainer);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Train() {
  if (absl::GetFlag(FLAGS_out).empty()) {
    return absl::InvalidArgumentError("out: a prefix is needed");
  }
  if (absl::GetFlag(FLAGS_log_steps) <= 0) {
    return absl::InvalidArgumentError("log_steps: must be positive");
  }
  const auto stages = ParseStages(absl::GetFlag(FLAGS_stages));
  if (!stages.ok()) return stages.status();
  const auto device = ParseDevice(absl::GetFlag(FLAGS_device));
  if (!device.ok()) return device.status();
  auto start = Start();
  if (!start.ok()) return start.status();
  try {
    Trainer trainer(*stages, absl::GetFlag(FLAGS_seed), *device,
                    device->is_cuda() && absl::GetFlag(FLAGS_capture),
                    *std::move(start));
    const std::string state = absl::GetFlag(FLAGS_resume);
    if (!state.empty()) {
      const absl::Status status = trainer.Restore(state);
      if (!status.ok()) return status;
    }
    return RunPlan(trainer, *stages);
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("training failed: ", e.what()));
  }
}

}  // namespace
}  // namespace qvg::tinyworld

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Trains TinyWorld in its own simulator.");
  qvg::tinyworld::ParseFlags(argc, argv);
  return qvg::tinyworld::ExitStatus(qvg::tinyworld::Train());
}
