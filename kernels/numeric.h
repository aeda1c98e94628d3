#ifndef KERNELS_NUMERIC_H_
#define KERNELS_NUMERIC_H_

#include <array>
#include <bit>
#include <cstdint>
#include <limits>

namespace qvg::kernels {

inline constexpr float kMaxBFloat16 = 0x1.fep127f;
inline constexpr float kMaxE4M3 = 448;
inline constexpr float kMaxHalf = 65504;

constexpr float BFloat16ToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// Nearest, ties to even; NaN stays NaN.
constexpr uint16_t FloatToBFloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return static_cast<uint16_t>((bits >> 16) | 0x40u);
  }
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

constexpr float RoundToBFloat16(float value) {
  return BFloat16ToFloat(FloatToBFloat16(value));
}

// E4M3FN: bias 7, no infinity, 0x7f and 0xff are NaN.
constexpr float E4M3ToFloat(uint8_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x80u) << 24;
  const uint32_t magnitude = bits & 0x7fu;
  if (magnitude == 0x7fu) return std::numeric_limits<float>::quiet_NaN();
  const float value =
      magnitude < 8u ? static_cast<float>(magnitude) * 0x1p-9f
                     : std::bit_cast<float>((magnitude << 20) + 0x3c000000u);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
}

// E4M3ToFloat of every pattern.
inline constexpr std::array<float, 256> kE4M3Values = [] {
  std::array<float, 256> values{};
  for (int i = 0; i < 256; ++i)
    values[i] = E4M3ToFloat(static_cast<uint8_t>(i));
  return values;
}();

// Nearest E4M3FN pattern, ties to even, saturating at +-448; NaN becomes 0x7f.
constexpr uint8_t FloatToE4M3(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint8_t>(bits >> 24 & 0x80u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0x7f;
  if (magnitude >= 0x43e00000u) return sign | 0x7e;  // 448
  if (magnitude >= 0x3c800000u) {                    // 2^-6: normal
    const uint32_t rounded = magnitude + 0x7ffffu + (magnitude >> 20 & 1u);
    return sign | static_cast<uint8_t>((rounded - 0x3c000000u) >> 20);
  }
  // Adding 2^14 leaves multiples of 2^-9 in the mantissa, rounded to even.
  const float shifted = std::bit_cast<float>(magnitude) + 0x1p14f;
  return sign | static_cast<uint8_t>(std::bit_cast<uint32_t>(shifted) & 0xfu);
}

// FP16 (IEEE binary16), subnormals, infinities and NaN included.
constexpr float HalfToFloat(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t magnitude = bits & 0x7fffu;
  uint32_t value = (magnitude << 13) + 0x38000000u;
  if (magnitude >= 0x7c00u) value += 0x38000000u;
  if (magnitude < 0x400u) {
    value = std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
  }
  return std::bit_cast<float>(value | sign);
}

// Nearest FP16, ties to even, saturating at +-65504; NaN becomes 0x7e00.
constexpr uint16_t FloatToHalf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0x7e00;
  if (magnitude >= 0x477fe000u) return sign | 0x7bff;  // 65504
  if (magnitude >= 0x38800000u) {                      // 2^-14: normal
    const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
    return sign | static_cast<uint16_t>((rounded - 0x38000000u) >> 13);
  }
  // Adding .5 leaves multiples of 2^-24 in the mantissa, rounded to even.
  const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
  return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(shifted) & 0x7ff);
}

}  // namespace qvg::kernels

#endif  // KERNELS_NUMERIC_H_
