#include "server/generator/tinyworld/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>
#include <vector>

#include "server/generator/tinyworld/normal_pair.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

constexpr size_t kCount = size_t{kTokens} * kTokenValues;  // of one step

std::vector<float> Noise(uint64_t seed, int64_t chunk, int step,
                         size_t count = kCount) {
  std::vector<float> noise(count);
  FillNoise(seed, chunk, step, absl::MakeSpan(noise));
  return noise;
}

// Mean of value^power.
double Moment(const std::vector<float>& values, int power) {
  double sum = 0;
  for (const float value : values) sum += std::pow(value, power);
  return sum / static_cast<double>(values.size());
}

// Mean of a[i] * b[i + lag].
double Product(const std::vector<float>& a, const std::vector<float>& b,
               size_t lag) {
  double sum = 0;
  for (size_t i = 0; i + lag < a.size(); ++i) sum += a[i] * b[i + lag];
  return sum / static_cast<double>(a.size() - lag);
}

// Five standard errors of the mean of something of this variance.
double Bound(double variance) { return 5 * std::sqrt(variance / kCount); }

TEST(NoiseTest, DependsOnItsArgumentsAlone) {
  const std::vector<float> first = Noise(7, 3, 1);
  Noise(1, 2, 0);
  EXPECT_EQ(Noise(7, 3, 1), first);
}

TEST(NoiseTest, EveryArgumentCounts) {
  const std::vector<float> base = Noise(7, 3, 1);
  // Also where arguments trade places or differ by one.
  for (const auto& [seed, chunk, step] : std::vector<std::array<int, 3>>{
           {8, 3, 1}, {7, 4, 1}, {7, 3, 2}, {3, 7, 1}, {7, 1, 3}, {6, 4, 1}}) {
    EXPECT_NEAR(Product(base, Noise(seed, chunk, step), 0), 0, Bound(1))
        << seed << " " << chunk << " " << step;
  }
}

TEST(NoiseTest, LargeSeedsAndChunksAreTakenWhole) {
  EXPECT_NE(Noise(uint64_t{1} << 63, 0, 0, 8), Noise(0, 0, 0, 8));
  EXPECT_NE(Noise(0, int64_t{1} << 40, 0, 8), Noise(0, 0, 0, 8));
}

TEST(NoiseTest, IsStandardNormal) {
  const std::vector<float> noise = Noise(1, 2, 0);
  EXPECT_NEAR(Moment(noise, 1), 0, Bound(1));
  EXPECT_NEAR(Moment(noise, 2), 1, Bound(2));
  EXPECT_NEAR(Moment(noise, 3), 0, Bound(15));
  EXPECT_NEAR(Moment(noise, 4), 3, Bound(96));
}

TEST(NoiseTest, QuantilesAreNormal) {
  const std::vector<float> noise = Noise(1, 2, 0);
  for (const auto& [bound, share] : std::vector<std::array<double, 2>>{
           {-1.644854, .05}, {-0.674490, .25}, {0, .5}, {1.959964, .975}}) {
    double below = 0;
    for (const float value : noise) below += value < bound ? 1 : 0;
    EXPECT_NEAR(below / kCount, share, Bound(share * (1 - share))) << bound;
  }
}

TEST(NoiseTest, NeighboursAreIndependent) {
  const std::vector<float> noise = Noise(1, 2, 0);
  for (const size_t lag : {1, 2, 3, kTokenValues}) {
    EXPECT_NEAR(Product(noise, noise, lag), 0, Bound(1)) << lag;
  }
  // Both values of a pair have the same radius, but no common size.
  std::vector<float> squares;
  for (const float value : noise) squares.push_back(value * value - 1);
  EXPECT_NEAR(Product(squares, squares, 1), 0, Bound(4));
}

// Of a full turn and every logarithm that there is.
TEST(NormalPairTest, IsAsExactAsFloatsAre) {
  double log_error = 0, angle_error = 0;
  for (int32_t i = 0; i < 1 << 24; i += 7) {
    const float u = (static_cast<float>(i) + 0.5f) * 0x1p-24f;
    const double log = std::log(static_cast<double>(u));
    ASSERT_LE(PortableLog(u), 0);
    if (log < 0) {
      log_error = std::max(log_error, std::abs(PortableLog(u) / log - 1));
    }
    float sine, cosine;
    PortableSinCos(i, &sine, &cosine);
    const double angle = 2 * std::numbers::pi * i * 0x1p-24;
    angle_error = std::max({angle_error, std::abs(sine - std::sin(angle)),
                            std::abs(cosine - std::cos(angle))});
  }
  EXPECT_LT(log_error, 2 * 0x1p-23);
  EXPECT_LT(angle_error, 2 * 0x1p-24);
}

// These bits name worlds: they never change, on no machine.
TEST(NoiseTest, HasItsBits) {
  const std::vector<float> noise = Noise(7, 3, 1);
  uint64_t hash = 14695981039346656037u;
  for (const float value : noise) {
    hash = (hash ^ std::bit_cast<uint32_t>(value)) * 1099511628211u;
  }
  EXPECT_EQ(hash, 7427115265930850110u);
}

TEST(NoiseTest, StaysWithinTheSpan) {
  for (const size_t count : {0, 1, 2, 7}) {
    std::vector<float> values(count + 1, 99);
    FillNoise(5, 0, 0, absl::MakeSpan(values).first(count));
    EXPECT_EQ(values.back(), 99);
    values.pop_back();
    const std::vector<float> longer = Noise(5, 0, 0, 8);
    EXPECT_EQ(values,
              std::vector<float>(longer.begin(), longer.begin() + count));
  }
}

}  // namespace
}  // namespace qvg::tinyworld
