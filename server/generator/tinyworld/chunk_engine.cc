#include "server/generator/tinyworld/chunk_engine.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <chrono>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kernels/device_memory.h"
#include "server/generator/tinyworld/cached_attention.h"
#include "server/generator/tinyworld/noise.h"
#include "server/generator/tinyworld/sampler.h"

namespace qvg::tinyworld {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kNoiseValues = int64_t{kTokens} * kTokenValues;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Parameters ToDevice(const Parameters& parameters, const at::Device& device) {
  if (device.is_cpu()) return parameters;
  std::vector<at::Tensor> moved;
  for (const at::Tensor& t : AsList(parameters)) moved.push_back(t.to(device));
  return WithTokenType(FromList(moved), at::kBFloat16);
}

// Marks the works that nobody waits for; whether there is another one.
bool AnyWanted(const std::vector<ChunkWork*>& pass) {
  bool any = false;
  for (ChunkWork* work : pass) {
    if (work->cancelled != nullptr && work->cancelled->load()) {
      work->status = absl::CancelledError("session cancelled");
    }
    any |= work->status.ok();
  }
  return any;
}

}  // namespace

// On a GPU the shape of every product is the same for any number of works: the
// libraries choose kernels, and with them the order of sums, by shape.
ChunkEngine::ChunkEngine(const Parameters& parameters,
                         std::optional<GpuStream> gpu)
    : gpu_(std::move(gpu)),
      device_(gpu_ ? gpu_->torch.device() : at::Device(at::kCPU)),
      lanes_(gpu_ ? kGpuLanes : 1),
      executor_(gpu_ ? kernels::Executor(gpu_->raw)
                     : kernels::Executor(parallel_for_)),
      workspace_(executor_.memory().kind) {
  const auto on_stream = Use(gpu_);
  parameters_ = ToDevice(parameters, device_);
  if (gpu_) {
    attention_memory_ =
        std::make_unique<SharedAttentionMemory>(lanes_, device_);
  }
}

// Works of equally many steps, so many at a time as there are lanes.
std::vector<ChunkEngine::Pass> ChunkEngine::Passes(const Pass& works) const {
  std::vector<Pass> passes;
  for (ChunkWork* work : works) {
    Pass* room = nullptr;
    for (Pass& pass : passes) {
      if (std::ssize(pass) < lanes_ &&
          pass.front()->state->steps == work->state->steps) {
        room = &pass;
      }
    }
    if (room == nullptr) room = &passes.emplace_back();
    room->push_back(work);
  }
  return passes;
}

template <typename Wanted, typename Body>
void ChunkEngine::ForEachPass(absl::Span<ChunkWork> works, const Wanted& wanted,
                              const Body& body) {
  const c10::AutoGradMode no_grad(false);
  const auto on_stream = Use(gpu_);
  Pass all;
  for (ChunkWork& work : works) {
    if (work.status.ok() && wanted(work)) all.push_back(&work);
  }
  for (const Pass& pass : Passes(all)) {
    try {
      body(pass);
    } catch (const std::exception& e) {
      for (ChunkWork* work : pass) {
        work->status =
            absl::InternalError(absl::StrCat("generation failed: ", e.what()));
      }
    }
  }
}

void ChunkEngine::Sample(absl::Span<ChunkWork> works) {
  ForEachPass(
      works, [](const ChunkWork& work) { return !work.tokens.defined(); },
      [this](const Pass& pass) { SamplePass(pass); });
}

void ChunkEngine::Commit(absl::Span<ChunkWork> works) {
  ForEachPass(
      works, [](const ChunkWork&) { return true; },
      [this](const Pass& pass) { CommitPass(pass); });
}

Conditions ChunkEngine::ConditionsOf(const Pass& pass) const {
  static_assert(sizeof(Pose) == 3 * sizeof(float));
  static_assert(sizeof(Action) == sizeof(int32_t));
  std::vector<ChunkMotion> motions(lanes_);
  for (size_t i = 0; i < pass.size(); ++i) motions[i] = pass[i]->motion;
  constexpr int64_t kStride = sizeof(ChunkMotion) / sizeof(float);
  const at::Tensor poses =
      at::from_blob(motions.front().poses.data(), {lanes_, kFramesPerChunk, 3},
                    {kStride, 3, 1}, at::TensorOptions(at::kFloat));
  const at::Tensor actions =
      at::from_blob(motions.front().actions.data(), {lanes_, kFramesPerChunk},
                    {kStride, 1}, at::TensorOptions(at::kInt));
  return MakeConditions(parameters_, poses.contiguous().to(device_),
                        actions.contiguous().to(device_));
}

at::Tensor ChunkEngine::Noise(const Pass& pass, int step) const {
  const at::Tensor noise = at::zeros({lanes_, kTokens, kTokenValues},
                                     at::TensorOptions().device(device_));
  float* out = noise.mutable_data_ptr<float>();
  for (const ChunkWork* work : pass) {
    const SessionState& state = *work->state;
    if (gpu_) {
      const kernels::Error error = FillNoiseCuda(
          state.seed, state.chunks(), step, kNoiseValues, out, gpu_->raw);
      TORCH_CHECK(error.ok(), "noise: ", error.message);
    } else {
      FillNoise(state.seed, state.chunks(), step, {out, kNoiseValues});
    }
    out += kNoiseValues;
  }
  return noise;
}

at::Tensor ChunkEngine::Run(const Conditions& conditions,
                            const at::Tensor& tokens, double level,
                            const AttentionFn& attention) const {
  return Predict(parameters_, conditions,
                 tokens.to(parameters_.head.scalar_type()).unsqueeze(1),
                 at::full({lanes_, 1}, level, tokens.options()), attention);
}

std::unique_ptr<PassAttention> ChunkEngine::Attention(const Pass& pass) {
  if (!gpu_) {
    return std::make_unique<CachedAttention>(*pass.front()->state->cache,
                                             parallel_for_);
  }
  std::vector<const KvCache*> caches;
  for (const ChunkWork* work : pass) {
    caches.push_back(work->state->cache.get());
  }
  return std::make_unique<SharedAttention>(caches, gpu_->raw,
                                           *attention_memory_);
}

void ChunkEngine::Wait() const {
  if (!gpu_) return;
  const kernels::Error error = kernels::Synchronize(gpu_->raw);
  TORCH_CHECK(error.ok(), error.message);
}

void ChunkEngine::SamplePass(const Pass& pass) {
  const Clock::time_point start = Clock::now();
  if (!AnyWanted(pass)) return;
  const Conditions conditions = ConditionsOf(pass);
  const std::unique_ptr<PassAttention> attention = Attention(pass);
  at::Tensor x;
  int step = 0;
  for (const float level : SamplingLevels(pass.front()->state->steps)) {
    if (!AnyWanted(pass)) return;
    const at::Tensor noise = Noise(pass, step++);
    x = x.defined() ? x * (1 - level) + noise * level : noise;
    x = Run(conditions, x, level, std::ref(*attention))
            .squeeze(1)
            .to(at::kFloat)
            .clamp_(-1, 1);
  }
  Wait();
  const double sampled = SecondsSince(start);
  for (size_t i = 0; i < pass.size(); ++i) {
    pass[i]->tokens = x.narrow(0, static_cast<int64_t>(i), 1);
    pass[i]->stages.denoise = sampled;
  }
}

void ChunkEngine::CommitPass(const Pass& pass) {
  const Clock::time_point start = Clock::now();
  const std::unique_ptr<PassAttention> attention = Attention(pass);
  const at::Tensor tokens = at::zeros({lanes_, kTokens, kTokenValues},
                                      at::TensorOptions().device(device_));
  for (size_t i = 0; i < pass.size(); ++i) {
    tokens.narrow(0, static_cast<int64_t>(i), 1).copy_(pass[i]->tokens);
  }
  const auto attend = [&](int block, const at::Tensor& q, const at::Tensor& k,
                          const at::Tensor& v) {
    if (block + 1 < kBlocks) return (*attention)(block, q, k, v);
    attention->Keep(block, k, v);
    return at::Tensor();
  };
  Run(ConditionsOf(pass), tokens, /*level=*/0, attend);
  Wait();
  const double committed = SecondsSince(start);
  for (size_t i = 0; i < pass.size(); ++i) {
    ChunkWork& work = *pass[i];
    work.stages.kv_commit = committed;
    const Clock::time_point packing = Clock::now();
    work.status =
        work.state->cache->Append(attention->latest(static_cast<int>(i)),
                                  work.key, executor_, workspace_);
    work.stages.pack = SecondsSince(packing);
  }
}

}  // namespace qvg::tinyworld
