#ifndef KERNELS_QUANTIZE_INTERNAL_H_
#define KERNELS_QUANTIZE_INTERNAL_H_

#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/numeric.h"
#include "kernels/quantize.h"

namespace qvg::kernels::internal {

// What Quantize refuses.
Error CheckQuantize(const QuantizeArgs& args);

// E4M3 pattern of a BF16 number >= 0, the mantissa rounded half up, within
// [2^-9, 448].
constexpr uint8_t HalfUpToE4M3(float value) {
  // A BF16 has at most 7 bits of mantissa, so the next FP32 above a midpoint
  // is nearest to what the midpoint rounds up to.
  const float capped = value > kMaxE4M3 ? kMaxE4M3 : value;
  const float above = std::bit_cast<float>(std::bit_cast<uint32_t>(capped) + 1);
  return std::max<uint8_t>(FloatToE4M3(above), 1);
}

constexpr int LargestCode(int bits) { return (1 << (bits - 1)) - 1; }

constexpr uint8_t AbsmaxScale(float absmax, int bits) {
  const float largest = static_cast<float>(LargestCode(bits));
  return FloatToE4M3(std::max(absmax / largest, 1e-10f));
}

constexpr uint8_t RoundToNearestScale(float absmax, int bits) {
  const float largest = static_cast<float>(LargestCode(bits));
  return HalfUpToE4M3(RoundToBFloat16(std::max(absmax / largest, 1e-10f)));
}

constexpr uint8_t MinMaxScale(float min, float max, int bits) {
  return FloatToE4M3((max - min) / static_cast<float>((1 << bits) - 1));
}

// One row of `args`: `values` are the dim channels of a token's head.
struct QuantizeRow {
  const uint16_t* values;
  uint8_t* codes;
  uint8_t* scales;
  uint8_t* zeros;
};

using QuantizeRowFunction = void (*)(const QuantizeArgs& args,
                                     const QuantizeRow& row);
void QuantizeRowReference(const QuantizeArgs& args, const QuantizeRow& row);
void QuantizeRowFast(const QuantizeArgs& args, const QuantizeRow& row);
// kSearch and kFourLevels, for which both versions are this one.
void QuantizeRowSearch(const QuantizeArgs& args, const QuantizeRow& row);

}  // namespace qvg::kernels::internal

#endif  // KERNELS_QUANTIZE_INTERNAL_H_
