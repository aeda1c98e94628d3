#include "server/generator/tinyworld/noise.h"

#include "server/generator/tinyworld/normal_pair.h"
#include "server/generator/tinyworld/random.h"

namespace qvg::tinyworld {
namespace {

uint64_t Mix(uint64_t a, uint64_t b) {
  return Random(a ^ Random(b).Next()).Next();
}

}  // namespace

uint64_t internal::NoiseState(uint64_t seed, int64_t chunk, int step) {
  return Mix(Mix(seed, static_cast<uint64_t>(chunk)),
             static_cast<uint64_t>(step));
}

void FillNoise(uint64_t seed, int64_t chunk, int step, absl::Span<float> out) {
  Random random(internal::NoiseState(seed, chunk, step));
  for (size_t i = 0; i + 1 < out.size(); i += 2) {
    NormalPair(random.Next(), &out[i], &out[i + 1]);
  }
  if (out.size() % 2 == 1) {
    float unused;
    NormalPair(random.Next(), &out.back(), &unused);
  }
}

}  // namespace qvg::tinyworld
