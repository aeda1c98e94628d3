#include "server/generator/tinyworld/train_loss.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "server/generator/tinyworld/block_attention.h"
#include "server/generator/tinyworld/model.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

constexpr double kLevelMean = 0.3;
constexpr double kLevelDeviation = 1.2;
constexpr double kSmallestLevel = 0.1;  // that the loss divides by
constexpr double kNoisyContextShare = 0.85;
constexpr double kNoisiestContext = 0.35;
constexpr double kSelfContextShare = 0.75;
constexpr double kSelfContextRenoise = 0.6;

// One training step's constants.
struct Sequences {
  const Parameters* parameters;  // with the tokens' type
  Conditions conditions;
  int count = 0;
  at::Tensor truth;  // (N,128,1536) FP32
};

// (1 - level) * x + level * noise; level broadcasts over tokens.
at::Tensor Noised(const at::Tensor& x, const at::Tensor& level) {
  const at::Tensor l = level.view({-1, 1, 1});
  return at::addcmul(x * (1 - l), at::randn_like(x), l);
}

// What the model makes of `noised` at `levels` (N) after `clean` context.
at::Tensor PredictNoised(const Sequences& s, const at::Tensor& clean,
                         const at::Tensor& noised, const at::Tensor& levels) {
  const auto attention = [&s](int block, const at::Tensor& q,
                              const at::Tensor& k, const at::Tensor& v) {
    return BlockAttention(q, k, v, s.count, WindowChunks(block));
  };
  const at::ScalarType type = s.parameters->head.scalar_type();
  return Predict(*s.parameters, s.conditions,
                 at::stack({clean.to(type), noised.to(type)}, 1),
                 at::stack({at::zeros_like(levels), levels}, 1), attention)
      .select(1, 1)
      .to(at::kFloat);
}

at::Tensor SelfContext(const Sequences& s, const at::Tensor& clean) {
  const c10::AutoGradMode no_grad(false);
  const int64_t chunks = clean.size(0);
  const at::Tensor levels =
      at::rand({chunks}, clean.options()).mul_(0.7).add_(0.25);
  at::Tensor x =
      PredictNoised(s, clean, Noised(s.truth, levels), levels).clamp_(-1, 1);
  const at::Tensor lower = levels * kSelfContextRenoise;
  x = PredictNoised(s, clean, Noised(x, lower), lower).clamp_(-1, 1);
  const at::Tensor keep =
      at::rand({chunks, 1, 1}, clean.options()) < kSelfContextShare;
  return at::where(keep, x, s.truth);
}

// Per chunk (N): most sequences get one level of noise in all their context.
at::Tensor ContextLevels(const Sequences& s) {
  const auto options = s.truth.options();
  const at::Tensor noisy = at::rand({s.count, 1}, options) < kNoisyContextShare;
  const at::Tensor level =
      at::rand({s.count, 1}, options).square() * kNoisiestContext;
  return (level * noisy).expand({-1, s.truth.size(0) / s.count}).flatten();
}

}  // namespace

at::Tensor TrainingLoss(const Parameters& parameters, const Batch& batch,
                        int self_context_rounds, at::ScalarType type) {
  const Parameters typed = WithTokenType(parameters, type);
  Sequences s;
  s.parameters = &typed;
  s.count = static_cast<int>(batch.poses.size(0));
  s.truth = RenderBatch(batch);
  s.conditions =
      MakeConditions(typed, batch.poses.view({-1, kFramesPerChunk, 3}),
                     batch.actions.view({-1, kFramesPerChunk}));
  at::Tensor clean = s.truth;
  for (int i = 0; i < self_context_rounds; ++i) clean = SelfContext(s, clean);
  clean = Noised(clean, ContextLevels(s));
  const at::Tensor levels =
      (at::randn({clean.size(0)}, clean.options()) * kLevelDeviation +
       kLevelMean)
          .sigmoid();
  const at::Tensor error =
      PredictNoised(s, clean, Noised(s.truth, levels), levels) - s.truth;
  return (error.square().mean({1, 2}) / levels.clamp_min(kSmallestLevel))
      .mean();
}

}  // namespace qvg::tinyworld
