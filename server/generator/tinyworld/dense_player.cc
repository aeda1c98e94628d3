#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "server/generator/tinyworld/flash.h"
#include "server/generator/tinyworld/model.h"
#include "server/generator/tinyworld/sampler.h"
#include "server/generator/tinyworld/shape.h"
#include "server/generator/tinyworld/world_player.h"

namespace qvg::tinyworld {
namespace {

class DenseWorlds : public WorldPlayer {
 public:
  DenseWorlds(const Parameters& parameters, const Batch& episodes, int steps,
              uint64_t seed, int last_chunks)
      : parameters_(WithTokenType(
            parameters, episodes.poses.is_cuda() ? at::kBFloat16 : at::kFloat)),
        episodes_(episodes),
        steps_(steps),
        last_chunks_(last_chunks) {
    const int64_t worlds = episodes.poses.size(0);
    const int64_t tokens = episodes.poses.size(1) / kFramesPerChunk * kTokens;
    for (int i = 0; i < kBlocks; ++i) {
      keys_.push_back(at::zeros({worlds, tokens, kHeads, kHeadDim},
                                parameters_.head.options()));
      values_.push_back(at::zeros_like(keys_.back()));
    }
    at::Generator generator =
        at::globalContext().defaultGenerator(episodes.poses.device());
    generator.set_current_seed(seed);
    Prepare();
  }

  at::Tensor Sample() override {
    const c10::AutoGradMode no_grad(false);
    at::Tensor x;
    for (const float level : SamplingLevels(steps_)) {
      const at::Tensor noise =
          at::randn({episodes_.poses.size(0), kTokens, kTokenValues},
                    episodes_.poses.options());
      x = x.defined() ? x * (1 - level) + noise * level : noise;
      x = Pass(x, level).clamp_(-1, 1);
    }
    return x;
  }

  void Commit(const at::Tensor& tokens) override {
    const c10::AutoGradMode no_grad(false);
    Pass(tokens, 0);
    ++chunk_;
    if (chunk_ * kFramesPerChunk < episodes_.poses.size(1)) Prepare();
  }

 private:
  void Prepare() {
    const c10::AutoGradMode no_grad(false);
    const int64_t first = chunk_ * kFramesPerChunk;
    conditions_ = MakeConditions(
        parameters_,
        episodes_.poses.narrow(1, first, kFramesPerChunk).contiguous(),
        episodes_.actions.narrow(1, first, kFramesPerChunk).contiguous());
  }

  // One pass; leaves the chunk's keys and values in the history.
  at::Tensor Pass(const at::Tensor& tokens, double level) {
    const at::Tensor levels =
        at::full({tokens.size(0), 1}, level, tokens.options());
    const auto attention = [this](int block, const at::Tensor& q,
                                  const at::Tensor& k, const at::Tensor& v) {
      return Attend(block, q, k, v);
    };
    return Predict(parameters_, conditions_,
                   tokens.to(parameters_.head.scalar_type()).unsqueeze(1),
                   levels, attention)
        .squeeze(1)
        .to(at::kFloat);
  }

  at::Tensor Attend(int block, const at::Tensor& q, const at::Tensor& k,
                    const at::Tensor& v) {
    const auto heads = [](const at::Tensor& t) {
      return t.view({-1, kTokens, kHeads, kHeadDim});
    };
    const int64_t begin = chunk_ * kTokens;
    keys_[block].narrow(1, begin, kTokens).copy_(heads(k));
    values_[block].narrow(1, begin, kTokens).copy_(heads(v));
    const int window =
        WindowChunks(block) > 0 ? WindowChunks(block) : last_chunks_;
    const int64_t first =
        window > 0 ? std::max<int64_t>(0, chunk_ - window) * kTokens : 0;
    const int64_t count = begin + kTokens - first;
    return FlashForward(heads(q), keys_[block].narrow(1, first, count),
                        values_[block].narrow(1, first, count))
        .out.reshape(q.sizes());
  }

  Parameters parameters_;
  Batch episodes_;
  int steps_;
  int last_chunks_;
  int64_t chunk_ = 0;
  Conditions conditions_;
  std::vector<at::Tensor> keys_;    // per block (B,T,4,64)
  std::vector<at::Tensor> values_;  // per block (B,T,4,64)
};

}  // namespace

std::unique_ptr<WorldPlayer> DensePlayer(const Parameters& parameters,
                                         const Batch& episodes, int steps,
                                         uint64_t seed, int last_chunks) {
  return std::make_unique<DenseWorlds>(parameters, episodes, steps, seed,
                                       last_chunks);
}

}  // namespace qvg::tinyworld
