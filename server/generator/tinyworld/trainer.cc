#include "server/generator/tinyworld/trainer.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/serialize.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/generator/tinyworld/random.h"
#include "server/generator/tinyworld/train_loss.h"

namespace qvg::tinyworld {
namespace {

// The seed of one step's random numbers on the device or of its episodes.
uint64_t StepSeed(uint64_t seed, int64_t step, int purpose) {
  return Random(seed * 1000003 + static_cast<uint64_t>(step) * 2 + purpose)
      .Next();
}

std::vector<at::Tensor> Leaves(const Parameters& initial,
                               const at::Device& device) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& t : AsList(initial)) {
    leaves.push_back(t.to(device, /*non_blocking=*/false, /*copy=*/true)
                         .requires_grad_(true));
  }
  return leaves;
}

}  // namespace

Trainer::Trainer(std::vector<Stage> stages, uint64_t seed,
                 const at::Device& device, bool capture, Parameters initial)
    : stages_(std::move(stages)),
      seed_(seed),
      device_(device),
      capture_(capture),
      parameters_(Leaves(initial, device)),
      optimizer_(std::make_unique<Optimizer>(FromList(parameters_))),
      loss_(at::zeros({}, at::TensorOptions(at::kFloat).device(device))) {}

void Trainer::EnterStage(int stage) {
  stage_ = stage;
  for (auto& captured : captured_) captured.reset();
  batch_ = EmptyBatch(stages_[stage].batch, stages_[stage].frames, device_);
}

void Trainer::Compute(int rounds) {
  const at::Tensor loss =
      TrainingLoss(FromList(parameters_), batch_, rounds,
                   device_.is_cuda() ? at::kBFloat16 : at::kFloat);
  optimizer_->Step(torch::autograd::grad({loss}, parameters_));
  loss_.copy_(loss.detach());
}

void Trainer::TrainStep() {
  const PlannedStep plan = PlanStep(stages_, seed_, step_);
  if (plan.stage != stage_) EnterStage(plan.stage);
  const Stage& stage = stages_[stage_];
  const Batch episodes = TrainingBatch(StepSeed(seed_, step_, 0), stage.batch,
                                       stage.frames, stage.there_and_back);
  CopyBatch(capture_ ? Pinned(episodes) : episodes, batch_);
  optimizer_->Prepare(step_, plan.rate);
  at::Generator generator = at::globalContext().defaultGenerator(device_);
  generator.set_current_seed(StepSeed(seed_, step_, 1));
  const int rounds = plan.self_context_rounds;
  if (!capture_) {
    Compute(rounds);
  } else if (captured_[rounds] != nullptr) {
    captured_[rounds]->Run();
  } else {
    const auto other =
        std::find_if(captured_.begin(), captured_.end(),
                     [](const auto& captured) { return captured != nullptr; });
    captured_[rounds] =
        Capture([this, rounds] { Compute(rounds); },
                other == captured_.end() ? nullptr : other->get());
  }
  ++step_;
}

double Trainer::Loss() const { return loss_.item<double>(); }

absl::Status Trainer::Save(const std::string& path) const {
  try {
    std::vector<at::Tensor> state;
    for (const at::Tensor& t : optimizer_->State()) {
      state.push_back(t.detach().to(at::kCPU));
    }
    state.push_back(at::scalar_tensor(step_, at::kLong));
    torch::save(state, path);
  } catch (const std::exception& e) {
    return absl::UnavailableError(absl::StrCat(path, ": not written"));
  }
  return absl::OkStatus();
}

absl::Status Trainer::Restore(const std::string& path) {
  const c10::AutoGradMode no_grad(false);
  std::vector<at::Tensor> state;
  try {
    torch::load(state, path);
  } catch (const std::exception& e) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": no training state"));
  }
  const std::vector<at::Tensor> own = optimizer_->State();
  if (state.size() != own.size() + 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": ", state.size(), " tensors, expected ", own.size() + 1));
  }
  for (size_t i = 0; i < own.size(); ++i) {
    if (own[i].sizes() != state[i].sizes()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": tensor ", i, " has another shape"));
    }
    own[i].copy_(state[i]);
  }
  step_ = state.back().item<int64_t>();
  return absl::OkStatus();
}

}  // namespace qvg::tinyworld
