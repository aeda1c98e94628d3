#ifndef SERVER_GENERATOR_TINYWORLD_CHUNK_ENGINE_H_
#define SERVER_GENERATOR_TINYWORLD_CHUNK_ENGINE_H_

#include <ATen/core/Tensor.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "cache/session_state.h"
#include "cache/workspace.h"
#include "kernels/executor.h"
#include "server/generator/tinyworld/gpu_stream.h"
#include "server/generator/tinyworld/maze.h"
#include "server/generator/tinyworld/model.h"
#include "server/generator/tinyworld/parameters.h"
#include "server/generator/tinyworld/shape.h"
#include "server/generator/tinyworld/shared_attention.h"
#include "server/generator/tinyworld/torch_parallel_for.h"
#include "server/generator/video_model.h"

namespace qvg::tinyworld {

// What the camera does in one chunk.
struct ChunkMotion {
  std::array<Pose, kFramesPerChunk> poses;
  std::array<Action, kFramesPerChunk> actions;
};

// The next chunk of one session.
struct ChunkWork {
  SessionState* state = nullptr;  // no two works have the same
  ChunkMotion motion;
  const std::atomic<bool>* cancelled = nullptr;  // may be null
  PrefixKey key;                                 // of the state after the chunk

  absl::Status status;  // a work that has failed is passed over
  // The chunk's pictures, (1,128,1536) FP32 in [-1, 1].
  at::Tensor tokens;
  StageSeconds stages;  // of the passes, whole, that the work shared
};

// Makes chunks from the packed histories of sessions, on the CPU or a GPU. The
// bits of a work depend neither on the others nor on the number of threads.
// LibTorch's exceptions become INTERNAL. Thread-compatible.
class ChunkEngine {
 public:
  // Works that share a pass on a GPU; on the CPU each is on its own.
  static constexpr int kGpuLanes = 16;

  // `parameters` are FP32 on the CPU. With `gpu` it computes there, in BF16;
  // histories of sessions must then lie in memory of that stream.
  explicit ChunkEngine(const Parameters& parameters,
                       std::optional<GpuStream> gpu = std::nullopt);

  // Sets the `tokens` of works without, on the engine's device and complete:
  // denoised in state->steps passes from the noise of (state->seed,
  // state->chunks()). CANCELLED once *cancelled.
  void Sample(absl::Span<ChunkWork> works);

  // Runs the clean pass over `tokens`, of any device, and appends its keys and
  // values, under `key`, to the history. On error the state is as it was.
  void Commit(absl::Span<ChunkWork> works);

 private:
  using Pass = std::vector<ChunkWork*>;

  std::vector<Pass> Passes(const Pass& works) const;
  template <typename Wanted, typename Body>
  void ForEachPass(absl::Span<ChunkWork> works, const Wanted& wanted,
                   const Body& body);
  void SamplePass(const Pass& pass);
  void CommitPass(const Pass& pass);
  Conditions ConditionsOf(const Pass& pass) const;
  at::Tensor Noise(const Pass& pass, int step) const;
  at::Tensor Run(const Conditions& conditions, const at::Tensor& tokens,
                 double level, const AttentionFn& attention) const;
  std::unique_ptr<PassAttention> Attention(const Pass& pass);
  void Wait() const;

  const std::optional<GpuStream> gpu_;
  const at::Device device_;
  const int lanes_;
  Parameters parameters_;
  TorchParallelFor parallel_for_;
  const kernels::Executor executor_;
  Workspace workspace_;
  std::unique_ptr<SharedAttentionMemory> attention_memory_;  // with gpu_
};

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_CHUNK_ENGINE_H_
