#ifndef SERVER_GENERATOR_TINYWORLD_NOISE_H_
#define SERVER_GENERATOR_TINYWORLD_NOISE_H_

#include <cstdint>

#include "absl/types/span.h"
#include "kernels/cuda_stream.h"
#include "kernels/error.h"

namespace qvg::tinyworld {

// Fills `out` with standard normal values that depend on the arguments alone:
// step `step` of chunk `chunk` of a world of seed `seed`. The same whatever
// cache and inputs a session has, so that sessions can be compared, and the
// same bits on every machine.
void FillNoise(uint64_t seed, int64_t chunk, int step, absl::Span<float> out);

// The same on a device, `count` values in its memory; enqueued.
kernels::Error FillNoiseCuda(uint64_t seed, int64_t chunk, int step,
                             int64_t count, float* out,
                             kernels::CudaStream stream);

namespace internal {
// State of the random stream of a step, before its first number.
uint64_t NoiseState(uint64_t seed, int64_t chunk, int step);
}  // namespace internal

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_NOISE_H_
