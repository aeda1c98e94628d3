#include "server/generator/tinyworld/noise.h"

#include <cmath>
#include <numbers>

#include "server/generator/tinyworld/random.h"

namespace qvg::tinyworld {
namespace {

// Box and Muller (1958): two independent normal values from 64 random bits.
void NormalPair(uint64_t bits, float* out) {
  const float u = (static_cast<float>(bits >> 40) + 0.5f) * 0x1p-24f;
  const float angle = static_cast<float>(bits & 0xffffff) *
                      (0x1p-24f * 2 * std::numbers::pi_v<float>);
  const float radius = std::sqrt(-2 * std::log(u));
  out[0] = radius * std::cos(angle);
  out[1] = radius * std::sin(angle);
}

uint64_t Mix(uint64_t a, uint64_t b) {
  return Random(a ^ Random(b).Next()).Next();
}

}  // namespace

void FillNoise(uint64_t seed, int64_t chunk, int step, absl::Span<float> out) {
  Random random(Mix(Mix(seed, static_cast<uint64_t>(chunk)),
                    static_cast<uint64_t>(step)));
  for (size_t i = 0; i + 1 < out.size(); i += 2) {
    NormalPair(random.Next(), &out[i]);
  }
  if (out.size() % 2 == 1) {
    float last[2];
    NormalPair(random.Next(), last);
    out.back() = last[0];
  }
}

}  // namespace qvg::tinyworld
