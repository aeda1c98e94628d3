#ifndef SERVER_GENERATOR_TINYWORLD_TRAIN_LOSS_H_
#define SERVER_GENERATOR_TINYWORLD_TRAIN_LOSS_H_

#include <ATen/core/Tensor.h>

#include "server/generator/tinyworld/batch.h"
#include "server/generator/tinyworld/parameters.h"

namespace qvg::tinyworld {

// Teacher forcing over whole episodes: every chunk at once, in a clean copy
// and a noised one. Returns the scalar mean of (x0 error)^2 / max(level, .1).
// In `self_context_rounds` passes before, the clean copy becomes what the
// model itself makes of most chunks. Tokens have `type`; random numbers come
// from the default generator of the batch's device.
at::Tensor TrainingLoss(const Parameters& parameters, const Batch& batch,
                        int self_context_rounds, at::ScalarType type);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_TRAIN_LOSS_H_
