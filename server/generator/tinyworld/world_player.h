#ifndef SERVER_GENERATOR_TINYWORLD_WORLD_PLAYER_H_
#define SERVER_GENERATOR_TINYWORLD_WORLD_PLAYER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "server/generator/tinyworld/batch.h"
#include "server/generator/tinyworld/parameters.h"

namespace qvg::tinyworld {

// Takes B worlds through their episodes chunk by chunk.
class WorldPlayer {
 public:
  virtual ~WorldPlayer() = default;

  // Makes the next chunk's picture: (B,128,1536) FP32 in [-1, 1].
  virtual at::Tensor Sample() = 0;

  // Takes `tokens`, as from Sample or the simulator, as the next chunk's
  // picture into the history and goes on.
  virtual void Commit(const at::Tensor& tokens) = 0;
};

// All worlds in one batch, history in dense BF16 tensors (GPU) or FP32 (CPU);
// `last_chunks` > 0 hides older history.
std::unique_ptr<WorldPlayer> DensePlayer(const Parameters& parameters,
                                         const Batch& episodes, int steps,
                                         uint64_t seed, int last_chunks);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_WORLD_PLAYER_H_
