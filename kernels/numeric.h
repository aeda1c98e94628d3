#ifndef KERNELS_NUMERIC_H_
#define KERNELS_NUMERIC_H_

#include <bit>
#include <cstdint>
#include <limits>

namespace qvg::kernels {

inline float BFloat16ToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// Nearest, ties to even; NaN stays NaN.
inline uint16_t FloatToBFloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return static_cast<uint16_t>((bits >> 16) | 0x40u);
  }
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline float RoundToBFloat16(float value) {
  return BFloat16ToFloat(FloatToBFloat16(value));
}

// E4M3FN: bias 7, no infinity, 0x7f and 0xff are NaN.
inline float E4M3ToFloat(uint8_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x80u) << 24;
  const uint32_t magnitude = bits & 0x7fu;
  if (magnitude == 0x7fu) return std::numeric_limits<float>::quiet_NaN();
  const float value =
      magnitude < 8u ? static_cast<float>(magnitude) * 0x1p-9f
                     : std::bit_cast<float>((magnitude << 20) + 0x3c000000u);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
}

}  // namespace qvg::kernels

#endif  // KERNELS_NUMERIC_H_
