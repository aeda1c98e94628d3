#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "kernels/pack_codes.h"
#include "kernels/quantize_internal.h"

// Rules that try several scales or ratios. Candidates are compared in whole
// numbers, so that no order of additions changes which one is chosen.

namespace qvg::kernels::internal {
namespace {

constexpr int kMaxBlock = 64;
// Units of the largest magnitude of a block, to compare scales.
constexpr int kFine = 2048;
// Of the scale, to tell four levels: the outer one.
constexpr int kOuter = 1024;

// |value| in units of one / units, to nearest even, at most 2 * units.
int Units(float value, float one, int units) {
  const float limit = static_cast<float>(2 * units);
  const float scaled = std::abs(value) / one * static_cast<float>(units);
  return static_cast<int>(std::nearbyint(scaled < limit ? scaled : limit));
}

float Absmax(const float* values, int count) {
  float absmax = 0;
  for (int i = 0; i < count; ++i) {
    absmax = std::max(absmax, std::abs(values[i]));
  }
  return absmax;
}

// How much of the energy a ternary grid of step `step` explains: the sum of
// x^2 - (x - step)^2 over all that round to it.
int Explained(const int* units, int count, int step) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    sum += 2 * units[i] >= step ? (2 * units[i] - step) * step : 0;
  }
  return sum;
}

// Scales within two octaves of the largest, which come first.
constexpr int kScales = 17;

// The E4M3 scale of those that errs least.
uint8_t SearchScale(const float* values, int count) {
  const float absmax = Absmax(values, count);
  const uint8_t largest = AbsmaxScale(absmax, 2);
  if (largest == 0) return 0;
  int units[kMaxBlock];
  for (int i = 0; i < count; ++i) units[i] = Units(values[i], absmax, kFine);
  uint8_t best = largest;
  int most = -1;
  for (int i = 0; i < kScales && i < largest; ++i) {
    const auto scale = static_cast<uint8_t>(largest - i);
    const int step = Units(E4M3ToFloat(scale), absmax, kFine);
    const int explained = Explained(units, count, step);
    if (explained > most) best = scale;
    most = std::max(most, explained);
  }
  return best;
}

void StoreTernary(const float* values, int count, float scale,
                  uint8_t* stored) {
  for (int i = 0; i < count; ++i) {
    const float quotient = scale == 0 ? 0 : values[i] / scale;
    const float code = std::round(std::clamp(quotient, -1.0f, 1.0f));
    stored[i] = static_cast<uint8_t>(static_cast<int>(code) + 1);
  }
}

int InnerLevel(uint8_t scale, int outer) {
  return static_cast<int>(
      std::nearbyint(FourLevelRatio(scale) * static_cast<float>(outer)));
}

bool IsOuter(int units, int outer, int inner) {
  return 2 * units >= outer + inner;
}

int FourLevelError(const int* units, int count, int outer, int inner) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    const int level = IsOuter(units[i], outer, inner) ? outer : inner;
    sum += (units[i] - level) * (units[i] - level);
  }
  return sum;
}

// Of the `scales` largest scales and either ratio the pair that errs least, in
// units of 1/kFine of `one`. Returns the pattern with the ratio in its sign.
uint8_t SearchFourLevels(const float* values, int count, float one,
                         uint8_t largest, int scales) {
  int units[kMaxBlock];
  for (int i = 0; i < count; ++i) units[i] = Units(values[i], one, kFine);
  uint8_t best = largest;
  int least = std::numeric_limits<int>::max();
  for (int i = 0; i < scales && i < largest; ++i) {
    for (const int sign : {0x00, 0x80}) {
      const auto scale = static_cast<uint8_t>((largest - i) | sign);
      const int outer = Units(E4M3ToFloat(scale & 0x7f), one, kFine);
      const int error =
          FourLevelError(units, count, outer, InnerLevel(scale, outer));
      if (error < least) best = scale;
      least = std::min(least, error);
    }
  }
  return best;
}

void StoreFourLevels(const float* values, int count, uint8_t scale,
                     uint8_t* stored) {
  const float magnitude = E4M3ToFloat(scale & 0x7f);
  const int inner = InnerLevel(scale, kOuter);
  for (int i = 0; i < count; ++i) {
    const bool outer =
        IsOuter(Units(values[i], magnitude, kOuter), kOuter, inner);
    stored[i] = values[i] < 0 ? (outer ? 0 : 1) : (outer ? 3 : 2);
  }
}

// Returns the scale, its sign bit the ratio.
uint8_t QuantizeFourLevels(const float* values, int count, QuantizeRule rule,
                           uint8_t* stored) {
  const float absmax = Absmax(values, count);
  const uint8_t largest = AbsmaxScale(absmax, 2);
  std::fill_n(stored, count, uint8_t{2});
  if (largest == 0) return 0;
  const int scales = rule == QuantizeRule::kFourSearch ? kScales : 1;
  const uint8_t scale =
      SearchFourLevels(values, count, absmax, largest, scales);
  StoreFourLevels(values, count, scale, stored);
  return scale;
}

}  // namespace

void QuantizeRowSearch(const QuantizeArgs& args, const QuantizeRow& row) {
  const int block = args.block;
  float values[kMaxBlock];
  uint8_t stored[kMaxBlock];
  for (int b = 0; b < args.points.dim / block; ++b) {
    std::transform(row.values + b * block, row.values + (b + 1) * block, values,
                   BFloat16ToFloat);
    if (args.rule != QuantizeRule::kSearch) {
      row.scales[b] = QuantizeFourLevels(values, block, args.rule, stored);
    } else {
      row.scales[b] = SearchScale(values, block);
      StoreTernary(values, block, E4M3ToFloat(row.scales[b]), stored);
    }
    PackBits(stored, block, 2, row.codes + b * (block / 4));
  }
}

}  // namespace qvg::kernels::internal
