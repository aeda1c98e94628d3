#ifndef SERVER_GENERATOR_TINYWORLD_SAMPLER_H_
#define SERVER_GENERATOR_TINYWORLD_SAMPLER_H_

#include "absl/types/span.h"

namespace qvg::tinyworld {

// The noise levels that a chunk goes through in `steps` denoise passes, the
// first one 1; empty if there is no schedule of that length.
absl::Span<const float> SamplingLevels(int steps);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_SAMPLER_H_
