#ifndef SERVER_GENERATOR_TINYWORLD_NOISE_H_
#define SERVER_GENERATOR_TINYWORLD_NOISE_H_

#include <cstdint>

#include "absl/types/span.h"

namespace qvg::tinyworld {

// Fills `out` with standard normal values that depend on the arguments alone:
// step `step` of chunk `chunk` of a world of seed `seed`. The same whatever
// cache and inputs a session has, so that sessions can be compared.
void FillNoise(uint64_t seed, int64_t chunk, int step, absl::Span<float> out);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_NOISE_H_
