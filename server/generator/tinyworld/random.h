#ifndef SERVER_GENERATOR_TINYWORLD_RANDOM_H_
#define SERVER_GENERATOR_TINYWORLD_RANDOM_H_

#include <cstdint>

#include "server/generator/tinyworld/host_device.h"

namespace qvg::tinyworld {

// SplitMix64 (Steele, Lea, Flood 2014): the same stream on every platform.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    const uint64_t bits = At(state_, 0);
    state_ += kStep;
    return bits;
  }

  // What a stream of this seed gives after `count` numbers.
  QVG_HOST_DEVICE static uint64_t At(uint64_t seed, uint64_t count) {
    uint64_t z = seed + (count + 1) * kStep;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // Uniform in [0, 1).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

  // Uniform in [0, n), n > 0.
  int Below(int n) { return static_cast<int>(Uniform() * n); }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15u;

  uint64_t state_;
};

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_RANDOM_H_
