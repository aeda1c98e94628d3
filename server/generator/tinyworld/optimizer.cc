#include "server/generator/tinyworld/optimizer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

namespace qvg::tinyworld {
namespace {

constexpr double kMuonRate = 0.02;
constexpr double kMuonMomentum = 0.95;
constexpr double kAdamRate = 1.2e-3;
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.95;
constexpr double kAdamEpsilon = 1e-8;
constexpr double kDecay = 0.01;
constexpr double kGradientNorm = 1.0;
constexpr double kAverageDecay = 0.999;
constexpr double kAverageRamp = 20;  // steps

bool IsMatrices(size_t index) { return ParameterTable()[index].muon_rows > 0; }

void ClipNorm(const std::vector<at::Tensor>& gradients) {
  const at::Tensor norm = at::stack(at::_foreach_norm(gradients, 2)).norm();
  const at::Tensor factor = (kGradientNorm / (norm + 1e-6)).clamp_max(1.0);
  at::_foreach_mul_(gradients, factor);
}

}  // namespace

at::Tensor Orthogonalized(const at::Tensor& x) {
  const bool tall = x.size(1) > x.size(2);
  const at::Tensor wide = tall ? x.transpose(1, 2) : x;
  at::Tensor y = (wide / (wide.norm(2, {1, 2}, /*keepdim=*/true) + 1e-7))
                     .to(x.is_cuda() ? at::kBFloat16 : x.scalar_type());
  for (int i = 0; i < 5; ++i) {
    const at::Tensor a = at::bmm(y, y.transpose(1, 2));
    const at::Tensor b = at::baddbmm(a, a, a, -4.775, 2.0315);
    y = at::baddbmm(y, b, y, 3.4445, 1);
  }
  return tall ? y.transpose(1, 2) : y;
}

Optimizer::Optimizer(const Parameters& parameters)
    : parameters_(AsList(parameters)) {
  const c10::AutoGradMode no_grad(false);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& p = parameters_[i];
    average_.push_back(p.detach().clone());
    first_.push_back(at::zeros_like(p));
    if (IsMatrices(i)) continue;
    second_.push_back(at::zeros_like(p));
    steps_.push_back(at::zeros({}, p.options()));
  }
  rate_ = at::zeros({}, average_.front().options());
  average_weight_ = at::zeros_like(rate_);
}

void Optimizer::Prepare(int64_t step, double rate) {
  rate_.fill_(rate);
  const auto n = static_cast<double>(step);
  average_weight_.fill_(1 - std::min(kAverageDecay, n / (n + kAverageRamp)));
}

void Optimizer::Step(const std::vector<at::Tensor>& gradients) {
  const c10::AutoGradMode no_grad(false);
  ClipNorm(gradients);
  std::vector<at::Tensor> others;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (IsMatrices(i)) {
      StepMatrices(i, gradients[i]);
    } else {
      others.push_back(gradients[i]);
    }
  }
  StepOthers(others);
  UpdateAverage();
}

void Optimizer::StepMatrices(size_t index, const at::Tensor& gradient) {
  const at::Tensor& p = parameters_[index];
  const int64_t rows = ParameterTable()[index].muon_rows;
  const int64_t columns = p.size(-1);
  const at::Tensor& momentum = first_[index];
  momentum.mul_(kMuonMomentum).add_(gradient, 1 - kMuonMomentum);
  const at::Tensor direction =
      gradient * (1 - kMuonMomentum) + momentum * kMuonMomentum;
  const at::Tensor step =
      Orthogonalized(direction.view({-1, rows, columns})).to(at::kFloat);
  const double scale = std::sqrt(
      std::max(1.0, static_cast<double>(rows) / static_cast<double>(columns)));
  const at::Tensor rate = rate_ * kMuonRate;
  p.mul_(1 - rate * kDecay);
  p.sub_(step.reshape(p.sizes()) * (rate * scale));
}

void Optimizer::StepOthers(const std::vector<at::Tensor>& gradients) {
  std::vector<at::Tensor> p, first;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (IsMatrices(i)) continue;
    p.push_back(parameters_[i]);
    first.push_back(first_[i]);
  }
  at::_foreach_add_(steps_, 1);
  at::_fused_adamw_(p, gradients, first, second_, /*max_exp_avg_sqs=*/{},
                    steps_, rate_ * kAdamRate, kBeta1, kBeta2, kDecay,
                    kAdamEpsilon, /*amsgrad=*/false, /*maximize=*/false);
}

void Optimizer::UpdateAverage() {
  const std::vector<at::Tensor> change =
      at::_foreach_sub(parameters_, average_);
  at::_foreach_mul_(change, average_weight_);
  at::_foreach_add_(average_, change);
}

std::vector<at::Tensor> Optimizer::State() const {
  std::vector<at::Tensor> state = parameters_;
  for (const auto* list : {&average_, &first_, &second_, &steps_}) {
    state.insert(state.end(), list->begin(), list->end());
  }
  return state;
}

}  // namespace qvg::tinyworld
