#include <algorithm>
#include <cmath>

#include "kernels/pack_codes.h"
#include "kernels/quantize_internal.h"

// Rules that try several scales or ratios. Candidates are compared in whole
// numbers, so that no order of additions changes which one is chosen.

namespace qvg::kernels::internal {
namespace {

constexpr int kMaxBlock = 64;

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

// The E4M3 scale, within two octaves of that of kAbsmax, that errs least.
uint8_t SearchScale(const float* values, int count) {
  constexpr int kOne = 2048;
  constexpr int kCandidates = 17;
  const float absmax = Absmax(values, count);
  const uint8_t largest = AbsmaxScale(absmax, 2);
  if (largest == 0) return 0;
  int units[kMaxBlock];
  for (int i = 0; i < count; ++i) units[i] = Units(values[i], absmax, kOne);
  uint8_t best = largest;
  int most = -1;
  for (int i = 0; i < kCandidates && i < largest; ++i) {
    const auto scale = static_cast<uint8_t>(largest - i);
    const int step = Units(E4M3ToFloat(scale), absmax, kOne);
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

// Magnitudes are in units of 1/1024 of the scale.
constexpr int kOuter = 1024;

int InnerLevel(uint8_t scale) {
  return static_cast<int>(FourLevelRatio(scale) * kOuter);
}

bool IsOuter(int units, int inner) { return 2 * units >= kOuter + inner; }

int FourLevelError(const int* units, int count, int inner) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    const int level = IsOuter(units[i], inner) ? kOuter : inner;
    sum += (units[i] - level) * (units[i] - level);
  }
  return sum;
}

// Returns the scale, its sign bit the ratio that errs less.
uint8_t QuantizeFourLevels(const float* values, int count, uint8_t* stored) {
  const uint8_t narrow = AbsmaxScale(Absmax(values, count), 2);
  std::fill_n(stored, count, uint8_t{2});
  if (narrow == 0) return 0;
  const auto wide = static_cast<uint8_t>(narrow | 0x80);
  const float scale = E4M3ToFloat(narrow);
  int units[kMaxBlock];
  for (int i = 0; i < count; ++i) units[i] = Units(values[i], scale, kOuter);
  const bool chooses_wide = FourLevelError(units, count, InnerLevel(wide)) <
                            FourLevelError(units, count, InnerLevel(narrow));
  const int inner = InnerLevel(chooses_wide ? wide : narrow);
  for (int i = 0; i < count; ++i) {
    const bool outer = IsOuter(units[i], inner);
    stored[i] = values[i] < 0 ? (outer ? 0 : 1) : (outer ? 3 : 2);
  }
  return chooses_wide ? wide : narrow;
}

}  // namespace

void QuantizeRowSearch(const QuantizeArgs& args, const QuantizeRow& row) {
  const int block = args.block;
  float values[kMaxBlock];
  uint8_t stored[kMaxBlock];
  for (int b = 0; b < args.points.dim / block; ++b) {
    std::transform(row.values + b * block, row.values + (b + 1) * block, values,
                   BFloat16ToFloat);
    if (args.rule == QuantizeRule::kFourLevels) {
      row.scales[b] = QuantizeFourLevels(values, block, stored);
    } else {
      row.scales[b] = SearchScale(values, block);
      StoreTernary(values, block, E4M3ToFloat(row.scales[b]), stored);
    }
    PackBits(stored, block, 2, row.codes + b * (block / 4));
  }
}

}  // namespace qvg::kernels::internal
