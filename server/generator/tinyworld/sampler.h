#ifndef SERVER_GENERATOR_TINYWORLD_SAMPLER_H_
#define SERVER_GENERATOR_TINYWORLD_SAMPLER_H_

#include "absl/types/span.h"

namespace qvg::tinyworld {

// The noise levels that a chunk goes through in `steps` denoise passes; empty
// if there is no schedule of that length. The first pass sees nothing but
// noise and is told a little less: told 1, it would answer with the mean of
// all pictures, and what the model makes up would grow grey and soft.
absl::Span<const float> SamplingLevels(int steps);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_SAMPLER_H_
