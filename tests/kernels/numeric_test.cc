#include "kernels/numeric.h"

#include <cmath>
#include <cstdint>

#include "gtest/gtest.h"

namespace qvg::kernels {
namespace {

TEST(Numeric, E4M3Patterns) {
  EXPECT_EQ(E4M3ToFloat(0x00), 0.0f);
  EXPECT_EQ(E4M3ToFloat(0x01), 0x1p-9f);
  EXPECT_EQ(E4M3ToFloat(0x07), 7 * 0x1p-9f);
  EXPECT_EQ(E4M3ToFloat(0x08), 0x1p-6f);
  EXPECT_EQ(E4M3ToFloat(0x38), 1.0f);
  EXPECT_EQ(E4M3ToFloat(0x7e), 448.0f);
  EXPECT_EQ(E4M3ToFloat(0xb8), -1.0f);
  EXPECT_NE(E4M3ToFloat(0x7f), E4M3ToFloat(0x7f));
}

TEST(Numeric, BFloat16RoundsToNearestEven) {
  EXPECT_EQ(RoundToBFloat16(1 + 0x1p-8f), 1.0f);
  EXPECT_EQ(RoundToBFloat16(1 + 3 * 0x1p-8f), 1 + 0x1p-6f);
  EXPECT_EQ(RoundToBFloat16(1 + 0x1.02p-8f), 1 + 0x1p-7f);
  EXPECT_EQ(RoundToBFloat16(-3.0e38f), -0x1.c4p+127f);
  EXPECT_NE(RoundToBFloat16(E4M3ToFloat(0x7f)), 0);
}

TEST(Numeric, E4M3RoundTripsEveryPattern) {
  for (int pattern = 0; pattern < 256; ++pattern) {
    const auto byte = static_cast<uint8_t>(pattern);
    if ((byte & 0x7f) == 0x7f) continue;
    EXPECT_EQ(FloatToE4M3(E4M3ToFloat(byte)), byte) << pattern;
    EXPECT_EQ(kE4M3Values[pattern], E4M3ToFloat(byte)) << pattern;
  }
}

// Between any two neighbours: the midpoint goes to the even pattern, anything
// off it to the nearer one.
TEST(Numeric, E4M3RoundsToNearestEven) {
  for (uint8_t low = 0; low < 0x7e; ++low) {
    const uint8_t high = low + 1;
    const float middle = (E4M3ToFloat(low) + E4M3ToFloat(high)) / 2;
    EXPECT_EQ(FloatToE4M3(middle), low % 2 == 0 ? low : high);
    EXPECT_EQ(FloatToE4M3(std::nextafter(middle, 0.0f)), low);
    EXPECT_EQ(FloatToE4M3(std::nextafter(middle, 500.0f)), high);
    EXPECT_EQ(FloatToE4M3(-std::nextafter(middle, 500.0f)), high | 0x80);
  }
}

TEST(Numeric, E4M3Saturates) {
  EXPECT_EQ(FloatToE4M3(449), 0x7e);
  EXPECT_EQ(FloatToE4M3(1e30f), 0x7e);
  EXPECT_EQ(FloatToE4M3(-INFINITY), 0xfe);
  EXPECT_EQ(FloatToE4M3(NAN), 0x7f);
  EXPECT_EQ(FloatToE4M3(1e-40f), 0);
}

TEST(Half, EveryPatternComesBack) {
  for (int bits = 0; bits < 0x7c00; ++bits) {
    for (const int sign : {0, 0x8000}) {
      const auto pattern = static_cast<uint16_t>(bits | sign);
      EXPECT_EQ(FloatToHalf(HalfToFloat(pattern)), pattern);
    }
  }
  EXPECT_EQ(HalfToFloat(0x3c00), 1);
  EXPECT_EQ(HalfToFloat(0x0001), 0x1p-24f);
  EXPECT_EQ(HalfToFloat(0xfbff), -kMaxHalf);
  EXPECT_TRUE(std::isinf(HalfToFloat(0x7c00)));
  EXPECT_TRUE(std::isnan(HalfToFloat(0x7e00)));
}

// Every midpoint between neighbours goes to the even one, and what lies on
// either side of it to the nearer one.
TEST(Half, RoundsToNearestEven) {
  for (int bits = 0; bits < 0x7bff; ++bits) {
    const float below = HalfToFloat(static_cast<uint16_t>(bits));
    const float above = HalfToFloat(static_cast<uint16_t>(bits + 1));
    const float middle = (below + above) / 2;
    EXPECT_EQ(FloatToHalf(middle), bits % 2 == 0 ? bits : bits + 1);
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, 0.0f)), bits);
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, kMaxHalf)), bits + 1);
    EXPECT_EQ(FloatToHalf(-std::nextafter(middle, 0.0f)), bits | 0x8000);
  }
}

TEST(Half, SaturatesAndKeepsNan) {
  EXPECT_EQ(FloatToHalf(65519), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520), 0x7bff);
  EXPECT_EQ(FloatToHalf(-INFINITY), 0xfbff);
  EXPECT_EQ(FloatToHalf(NAN), 0x7e00);
  EXPECT_EQ(FloatToHalf(-0.0f), 0x8000);
}

}  // namespace
}  // namespace qvg::kernels
