#include "server/generator/tinyworld/chunk_engine.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <chrono>
#include <utility>

#include "server/generator/tinyworld/cached_attention.h"
#include "server/generator/tinyworld/noise.h"
#include "server/generator/tinyworld/sampler.h"

namespace qvg::tinyworld {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

at::Tensor Noise(uint64_t seed, int64_t chunk, int step) {
  const at::Tensor noise = at::empty({1, kTokens, kTokenValues});
  FillNoise(
      seed, chunk, step,
      {noise.mutable_data_ptr<float>(), static_cast<size_t>(noise.numel())});
  return noise;
}

at::Tensor Pass(const Parameters& parameters, const Conditions& conditions,
                const at::Tensor& tokens, double level,
                const AttentionFn& attention) {
  return Predict(parameters, conditions, tokens.unsqueeze(1),
                 at::full({1, 1}, level), attention);
}

}  // namespace

ChunkEngine::ChunkEngine(Parameters parameters)
    : parameters_(std::move(parameters)) {}

Conditions ChunkEngine::ConditionsOf(const ChunkMotion& motion) const {
  static_assert(sizeof(Pose) == 3 * sizeof(float));
  static_assert(sizeof(Action) == sizeof(int32_t));
  const at::Tensor poses = at::from_blob(const_cast<Pose*>(motion.poses.data()),
                                         {1, kFramesPerChunk, 3});
  const at::Tensor actions =
      at::from_blob(const_cast<Action*>(motion.actions.data()),
                    {1, kFramesPerChunk}, at::TensorOptions(at::kInt));
  return MakeConditions(parameters_, poses, actions);
}

absl::StatusOr<at::Tensor> ChunkEngine::Sample(
    const SessionState& state, const ChunkMotion& motion,
    const std::atomic<bool>* cancelled) {
  const c10::InferenceMode inference;
  const Conditions conditions = ConditionsOf(motion);
  CachedAttention cached(*state.cache, parallel_for_);
  at::Tensor x;
  int step = 0;
  for (const float level : SamplingLevels(state.steps)) {
    if (cancelled != nullptr && cancelled->load()) {
      return absl::CancelledError("session cancelled");
    }
    const at::Tensor noise = Noise(state.seed, state.chunks(), step++);
    x = x.defined() ? x * (1 - level) + noise * level : noise;
    x = Pass(parameters_, conditions, x, level, std::ref(cached))
            .squeeze(1)
            .clamp_(-1, 1);
  }
  return x;
}

absl::Status ChunkEngine::Commit(SessionState& state, const ChunkMotion& motion,
                                 const at::Tensor& tokens, const PrefixKey& key,
                                 StageSeconds* stages) {
  const c10::InferenceMode inference;
  const Clock::time_point start = Clock::now();
  CachedAttention cached(*state.cache, parallel_for_);
  const auto attention = [&cached](int block, const at::Tensor& q,
                                   const at::Tensor& k, const at::Tensor& v) {
    if (block + 1 < kBlocks) return cached(block, q, k, v);
    cached.Keep(block, k, v);
    return at::Tensor();
  };
  Pass(parameters_, ConditionsOf(motion), tokens, /*level=*/0, attention);
  stages->kv_commit = SecondsSince(start);
  const Clock::time_point packing = Clock::now();
  const absl::Status status =
      state.cache->Append(cached.latest(), key, parallel_for_, workspace_);
  stages->pack = SecondsSince(packing);
  return status;
}

}  // namespace qvg::tinyworld
