#ifndef SERVER_GENERATOR_TINYWORLD_TRAINER_H_
#define SERVER_GENERATOR_TINYWORLD_TRAINER_H_

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/generator/tinyworld/batch.h"
#include "server/generator/tinyworld/captured_step.h"
#include "server/generator/tinyworld/optimizer.h"
#include "server/generator/tinyworld/parameters.h"
#include "server/generator/tinyworld/stages.h"

namespace qvg::tinyworld {

// Runs the steps of a plan, each pure in (seed, step, state before) up to
// rounding. Thread-compatible; throws c10::Error where the device fails.
class Trainer {
 public:
  // `capture`: record each kind of step as one CUDA graph (GPU only).
  Trainer(std::vector<Stage> stages, uint64_t seed, const at::Device& device,
          bool capture, Parameters initial);

  // The next step to run; done when it reaches TotalSteps().
  int64_t step() const { return step_; }

  void TrainStep();

  // The loss of the newest step; waits for the device.
  double Loss() const;

  // The averaged parameters.
  Parameters Average() const { return optimizer_->average(); }

  // Everything a later run needs to go on.
  absl::Status Save(const std::string& path) const;
  absl::Status Restore(const std::string& path);

 private:
  static constexpr int kKinds = 3;  // rounds of self-context: 0, 1, 2

  void EnterStage(int stage);
  void Compute(int rounds);

  std::vector<Stage> stages_;
  uint64_t seed_;
  at::Device device_;
  bool capture_;
  int64_t step_ = 0;
  int stage_ = -1;
  std::vector<at::Tensor> parameters_;
  std::unique_ptr<Optimizer> optimizer_;
  Batch batch_;      // on the device
  at::Tensor loss_;  // on the device
  std::array<std::unique_ptr<CapturedStep>, kKinds> captured_;
};

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_TRAINER_H_
