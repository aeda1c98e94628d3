#include "kernels/cuda_check.h"
#include "server/generator/tinyworld/noise.h"
#include "server/generator/tinyworld/normal_pair.h"
#include "server/generator/tinyworld/random.h"

namespace qvg::tinyworld {
namespace {

constexpr int kThreads = 256;

// A pair of values for each thread.
__global__ void Fill(uint64_t state, int64_t count, float* out) {
  const int64_t pair = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (2 * pair >= count) return;
  float first, second;
  NormalPair(Random::At(state, static_cast<uint64_t>(pair)), &first, &second);
  out[2 * pair] = first;
  if (2 * pair + 1 < count) out[2 * pair + 1] = second;
}

}  // namespace

kernels::Error FillNoiseCuda(uint64_t seed, int64_t chunk, int step,
                             int64_t count, float* out,
                             kernels::CudaStream stream) {
  if (count < 0) return kernels::Error::Invalid("count: must not be negative");
  if (count == 0) return kernels::Error::Ok();
  constexpr int64_t kValues = 2 * kThreads;
  const auto blocks = static_cast<unsigned>((count + kValues - 1) / kValues);
  Fill<<<blocks, kThreads, 0, stream>>>(internal::NoiseState(seed, chunk, step),
                                        count, out);
  return kernels::LaunchError();
}

}  // namespace qvg::tinyworld
