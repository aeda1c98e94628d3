#ifndef KERNELS_COUNTER_RANDOM_H_
#define KERNELS_COUNTER_RANDOM_H_

#include <cstdint>

namespace qvg::kernels {

// Random bits number `counter` of the stream that `seed` names: no state, so
// any number can be drawn by anyone in any order. The mixer is SplitMix64's
// (Steele, Lea and Flood, OOPSLA 2014), applied to both in turn.
constexpr uint64_t RandomBits(uint64_t seed, uint64_t counter) {
  const auto mix = [](uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  };
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15u;
  return mix(mix(seed + kGolden) + (counter + 1) * kGolden);
}

// Uniform in [0, limit), limit from 1 to 2^32; the bias is below limit / 2^32.
constexpr uint64_t RandomBelow(uint64_t seed, uint64_t counter,
                               uint64_t limit) {
  return (RandomBits(seed, counter) >> 32) * limit >> 32;
}

}  // namespace qvg::kernels

#endif  // KERNELS_COUNTER_RANDOM_H_
