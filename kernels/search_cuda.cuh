#ifndef KERNELS_SEARCH_CUDA_CUH_
#define KERNELS_SEARCH_CUDA_CUH_

#include <cstdint>

#include "kernels/packed_tensor.h"
#include "kernels/quantize_cuda.cuh"

// The rules that try several scales or ratios, as quantize_search.cc has them:
// candidates are compared in whole numbers, so lanes can add in any order.
namespace qvg::kernels::device {

inline constexpr int kFine = 2048;   // units of the largest magnitude
inline constexpr int kOuter = 1024;  // of the scale, to tell four levels
inline constexpr int kScales = 17;   // within two octaves of the largest

constexpr bool IsSearched(QuantizeRule rule) {
  return rule == QuantizeRule::kSearch || HasFourLevels(rule);
}

// |value| in units of one / units, to nearest even, at most 2 * units.
__device__ inline int Units(float value, float one, int units) {
  const float limit = static_cast<float>(2 * units);
  const float scaled =
      __fmul_rn(__fdiv_rn(fabsf(value), one), static_cast<float>(units));
  return __float2int_rn(scaled < limit ? scaled : limit);
}

__device__ inline int InnerLevel(uint8_t scale, int outer) {
  return __float2int_rn(FourLevelRatio(scale) * static_cast<float>(outer));
}

// What a candidate costs for one value: with four levels its squared error,
// else less than nothing, as much as the grid explains of its energy.
__device__ inline int CostOf(int units, QuantizeRule rule, int outer,
                             int inner) {
  if (rule == QuantizeRule::kSearch) {
    return 2 * units >= outer ? (outer - 2 * units) * outer : 0;
  }
  const int level = 2 * units >= outer + inner ? outer : inner;
  return (units - level) * (units - level);
}

// The scale of a block of which each of `lanes` lanes holds two octets, of
// which the second may be zeros; of four levels with the ratio in its sign.
__device__ __noinline__ inline uint8_t SearchScale(uint4 first, uint4 second,
                                                   int octets, float absmax,
                                                   QuantizeRule rule,
                                                   int lanes) {
  const uint8_t largest = ToE4M3(absmax);
  int units[16];
  float values[16];
  UnpackOctet(first, values);
  UnpackOctet(second, values + 8);
#pragma unroll
  for (int i = 0; i < 16; ++i) {
    units[i] = largest == 0 ? 0 : Units(values[i], absmax, kFine);
  }
  const int scales = rule == QuantizeRule::kFourLevels ? 1 : kScales;
  const int signs = rule == QuantizeRule::kSearch ? 1 : 2;
  uint8_t best = largest;
  int least = INT32_MAX;
  // All lanes of the warp go through all candidates, for their exchange.
#pragma unroll 1
  for (int i = 0; i < scales * signs; ++i) {
    const int index = i / signs;
    const bool there = index < largest;
    const auto scale = static_cast<uint8_t>((there ? largest - index : 1) |
                                            (i % signs != 0 ? 0x80 : 0));
    const float magnitude = FromE4M3(scale & 0x7f);
    const int outer = largest == 0 ? 0 : Units(magnitude, absmax, kFine);
    const int inner = InnerLevel(scale, outer);
    int cost = 0;
#pragma unroll
    for (int v = 0; v < 16; ++v) {
      if (v < 8 * octets) cost += CostOf(units[v], rule, outer, inner);
    }
    for (int step = 1; step < lanes; step *= 2) {
      cost += __shfl_xor_sync(0xffffffffu, cost, step);
    }
    if (there && cost < least) {
      least = cost;
      best = scale;
    }
  }
  return best;
}

// Codes of four levels, the first channel in the highest bits of the lowest
// byte.
__device__ __noinline__ inline uint32_t PackFourLevels(uint4 octet,
                                                       uint8_t scale) {
  const float magnitude = FromE4M3(scale & 0x7f);
  const int inner = InnerLevel(scale, kOuter);
  float values[8];
  UnpackOctet(octet, values);
  uint32_t word = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const bool outer =
        magnitude > 0 &&
        2 * Units(values[i], magnitude, kOuter) >= kOuter + inner;
    const uint32_t above = outer ? 3 : 2;
    const bool below_zero = magnitude > 0 && values[i] < 0;
    word |= (below_zero ? 3 - above : above) << (i / 4 * 8 + 6 - 2 * (i % 4));
  }
  return word;
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_SEARCH_CUDA_CUH_
