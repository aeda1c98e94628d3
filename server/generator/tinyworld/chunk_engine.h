#ifndef SERVER_GENERATOR_TINYWORLD_CHUNK_ENGINE_H_
#define SERVER_GENERATOR_TINYWORLD_CHUNK_ENGINE_H_

#include <ATen/core/Tensor.h>

#include <array>
#include <atomic>

#include "absl/status/status.h"
#include "cache/session_state.h"
#include "cache/workspace.h"
#include "server/generator/tinyworld/maze.h"
#include "server/generator/tinyworld/model.h"
#include "server/generator/tinyworld/parameters.h"
#include "server/generator/tinyworld/shape.h"
#include "server/generator/tinyworld/torch_parallel_for.h"
#include "server/generator/video_model.h"

namespace qvg::tinyworld {

// What the camera does in one chunk.
struct ChunkMotion {
  std::array<Pose, kFramesPerChunk> poses;
  std::array<Action, kFramesPerChunk> actions;
};

// Makes chunks on the CPU from the packed history of a session. The bits do
// not depend on the number of threads. Thread-compatible; throws c10::Error
// where LibTorch does.
class ChunkEngine {
 public:
  // `parameters` are FP32 on the CPU.
  explicit ChunkEngine(Parameters parameters);

  // The chunk's pictures, (1,128,1536) in [-1, 1], denoised in state.steps
  // passes from the noise of (state.seed, state.chunks()). CANCELLED once
  // `*cancelled` (may be null).
  absl::StatusOr<at::Tensor> Sample(const SessionState& state,
                                    const ChunkMotion& motion,
                                    const std::atomic<bool>* cancelled);

  // Runs the clean pass over `tokens` and appends its keys and values, under
  // `key`, to the history. On error the state is as it was.
  absl::Status Commit(SessionState& state, const ChunkMotion& motion,
                      const at::Tensor& tokens, const PrefixKey& key,
                      StageSeconds* stages);

 private:
  Conditions ConditionsOf(const ChunkMotion& motion) const;

  Parameters parameters_;
  TorchParallelFor parallel_for_;
  Workspace workspace_;
};

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_CHUNK_ENGINE_H_
