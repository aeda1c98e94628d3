// Rules that choose their scale, and trits. Error energies are compared with
// simulations of the same grids elsewhere.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/decode_tile.h"
#include "kernels/numeric.h"
#include "kernels/quantize.h"
#include "kernels/thread_pool.h"
#include "tests/kernels/random_tensors.h"

namespace qvg::kernels {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr int kDim = 128;

// Points of two bits through a rule, one head.
class Packed {
 public:
  Packed(const std::vector<float>& values, QuantizeRule rule, int block,
         bool trits = false, int threads = 1)
      : points_(values.size()) {
    std::transform(values.begin(), values.end(), points_.begin(),
                   FloatToBFloat16);
    view_.codec = Residual(kDim, 2, block, 0, 0);
    view_.codec.four_levels = HasFourLevels(rule);
    view_.codec.trits = trits;
    view_.heads = 1;
    view_.tokens = static_cast<int64_t>(values.size()) / kDim;
    codes_.resize(view_.tokens * CodeBytes(view_.codec));
    scales_.resize(values.size() / block);
    view_.codes = codes_.data();
    view_.scales = scales_.data();
    QuantizeArgs args;
    args.points = {points_.data(), 1, view_.tokens, kDim};
    args.rule = rule;
    args.bits = 2;
    args.trits = trits;
    args.block = block;
    args.codes = codes_.data();
    args.scales = scales_.data();
    ThreadPool pool(threads);
    const Error error = Quantize(args, pool);
    EXPECT_TRUE(error.ok()) << error.message;
  }

  const std::vector<uint8_t>& codes() const { return codes_; }
  const std::vector<uint8_t>& scales() const { return scales_; }
  float Point(size_t i) const { return BFloat16ToFloat(points_[i]); }

  std::vector<float> Decoded() const {
    std::vector<float> out(points_.size());
    DecodeTile(view_, 0, 0, view_.tokens, out.data());
    return out;
  }

  // Of the decoded points, relative to the energy of the points.
  double ErrorEnergy() const {
    const std::vector<float> decoded = Decoded();
    double error = 0, energy = 0;
    for (size_t i = 0; i < decoded.size(); ++i) {
      error += std::pow(double{decoded[i]} - Point(i), 2);
      energy += std::pow(double{Point(i)}, 2);
    }
    return error / energy;
  }

 private:
  std::vector<uint16_t> points_;
  std::vector<uint8_t> codes_;
  std::vector<uint8_t> scales_;
  PackedTensor view_;
};

// Numbers of unit variance of one of three distributions.
std::vector<float> Draw(const std::string& name, int count = 1 << 18) {
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal;
  std::exponential_distribution<float> exponential(std::sqrt(2.0f));
  std::student_t_distribution<float> student(5);
  std::vector<float> values(count);
  for (float& value : values) {
    if (name == "gauss") value = normal(random);
    if (name == "laplace") value = exponential(random) - exponential(random);
    if (name == "t5") value = student(random);
  }
  return values;
}

TEST(QuantizeSearch, ErrorEnergiesAreThoseOfTheirGrids) {
  const struct {
    const char* name;
    double absmax, search, four, four_search;
  } rows[] = {{"gauss", .513, .184, .214, .112},
              {"laplace", .527, .249, .271, .159},
              {"t5", .552, .257, .265, .160}};
  for (const auto& [name, absmax, search, four, four_search] : rows) {
    SCOPED_TRACE(name);
    const std::vector<float> values = Draw(name);
    EXPECT_NEAR(Packed(values, QuantizeRule::kAbsmax, 64).ErrorEnergy(), absmax,
                .01);
    EXPECT_NEAR(Packed(values, QuantizeRule::kSearch, 64).ErrorEnergy(), search,
                .01);
    EXPECT_NEAR(Packed(values, QuantizeRule::kFourLevels, 64).ErrorEnergy(),
                four, .01);
    EXPECT_NEAR(Packed(values, QuantizeRule::kFourSearch, 64).ErrorEnergy(),
                four_search, .01);
  }
}

// Of one block with a scale as stored, in FP64.
double BlockError(const Packed& packed, size_t first, int block, bool four,
                  int pattern) {
  const double scale = E4M3ToFloat(static_cast<uint8_t>(pattern & 0x7f));
  const double inner = FourLevelRatio(static_cast<uint8_t>(pattern)) * scale;
  double error = 0;
  for (size_t i = first; i < first + block; ++i) {
    const double x = std::abs(packed.Point(i));
    const double to_inner = std::abs(x - (four ? inner : 0));
    error += std::pow(std::min(to_inner, std::abs(x - scale)), 2);
  }
  return error;
}

// Against an exhaustive search. Units of 1/2048 may confuse scales that err
// nearly alike.
void ExpectNoneErrsLess(QuantizeRule rule, int block, float factor) {
  std::vector<float> values = Draw("laplace", 64 * kDim);
  for (float& value : values) value *= factor;
  const Packed absmax(values, QuantizeRule::kAbsmax, block);
  const Packed packed(values, rule, block);
  const bool four = HasFourLevels(rule);
  for (size_t b = 0; b < packed.scales().size(); ++b) {
    const auto error = [&](int pattern) {
      return BlockError(packed, b * block, block, four, pattern);
    };
    const int largest = absmax.scales()[b];
    double least = error(largest);
    for (int s = std::max(largest - 16, 1); s <= largest; ++s) {
      least = std::min(least, error(s));
      if (four) least = std::min(least, error(s | 0x80));
    }
    ASSERT_LE(error(packed.scales()[b]), 1.01 * least) << b;
  }
}

TEST(QuantizeSearch, NoScaleWithinTwoOctavesErrsLess) {
  for (const QuantizeRule rule :
       {QuantizeRule::kSearch, QuantizeRule::kFourSearch}) {
    for (const int block : {16, 32, 64}) {
      for (const float factor : {1.0f, .01f, 300.0f}) {
        ExpectNoneErrsLess(rule, block, factor);
      }
    }
  }
}

TEST(QuantizeSearch, FourLevelsKeepTheExtremesOfEveryBlock) {
  const std::vector<float> values = Draw("gauss", 64 * kDim);
  const Packed packed(values, QuantizeRule::kFourLevels, 64);
  const std::vector<float> decoded = packed.Decoded();
  int wide = 0;
  for (size_t b = 0; b < packed.scales().size(); ++b) {
    size_t at = b * 64;
    for (size_t i = at; i < (b + 1) * 64; ++i) {
      if (std::abs(packed.Point(i)) > std::abs(packed.Point(at))) at = i;
    }
    const float extreme = packed.Point(at);
    EXPECT_EQ(std::abs(decoded[at]),
              E4M3ToFloat(FloatToE4M3(std::abs(extreme))));
    EXPECT_EQ(std::signbit(decoded[at]), std::signbit(extreme));
    wide += packed.scales()[b] >> 7;
  }
  EXPECT_GT(wide, 10);
  EXPECT_LT(wide, 118);
}

TEST(QuantizeSearch, FourLevelsPickTheNearest) {
  std::vector<float> values(kDim, .1875f);
  values[0] = 1;
  values[1] = -.25f;
  values[2] = -.75f;
  values[3] = -0.0f;
  const Packed packed(values, QuantizeRule::kFourLevels, 64);
  const std::vector<float> decoded = packed.Decoded();
  EXPECT_THAT(std::vector<float>(decoded.begin(), decoded.begin() + 5),
              ElementsAre(1, -.1875f, -1, .1875f, .1875f));
  EXPECT_EQ(packed.codes()[0], 0b11010010);
}

TEST(QuantizeSearch, BlocksWithoutAScaleDecodeToZero) {
  for (const float value : {0.0f, 0x1p-10f, 1e-40f}) {
    const std::vector<float> values(kDim, -value);
    for (const QuantizeRule rule :
         {QuantizeRule::kSearch, QuantizeRule::kFourLevels,
          QuantizeRule::kFourSearch}) {
      const Packed packed(values, rule, 32);
      EXPECT_THAT(packed.scales(), Each(0));
      EXPECT_THAT(packed.Decoded(), Each(0));
    }
  }
}

TEST(QuantizeSearch, LargeAndInfiniteNumbersSaturate) {
  std::vector<float> values(kDim, 1);
  values[0] = INFINITY;
  values[64] = -3e38f;
  for (const QuantizeRule rule :
       {QuantizeRule::kSearch, QuantizeRule::kFourLevels,
        QuantizeRule::kFourSearch}) {
    for (const float value : Packed(values, rule, 64).Decoded()) {
      EXPECT_TRUE(std::isfinite(value));
    }
  }
}

// The same grid in fewer bytes: nothing that is decoded changes.
TEST(QuantizeSearch, TritsDecodeLikeTwoBits) {
  const std::vector<float> values = Draw("laplace", 77 * kDim);
  for (const QuantizeRule rule :
       {QuantizeRule::kAbsmax, QuantizeRule::kRoundToNearest,
        QuantizeRule::kSearch}) {
    const Packed bits(values, rule, 32);
    const Packed trits(values, rule, 32, true);
    EXPECT_EQ(trits.codes().size(), 77 * 26);
    EXPECT_EQ(trits.scales(), bits.scales());
    EXPECT_EQ(trits.Decoded(), bits.Decoded());
  }
}

TEST(QuantizeSearch, BitsDoNotDependOnThreads) {
  const std::vector<float> values = Draw("t5", 777 * kDim);
  for (const QuantizeRule rule :
       {QuantizeRule::kSearch, QuantizeRule::kFourLevels,
        QuantizeRule::kFourSearch}) {
    EXPECT_EQ(Packed(values, rule, 64, false, 3).codes(),
              Packed(values, rule, 64).codes());
  }
  EXPECT_EQ(Packed(values, QuantizeRule::kSearch, 64, true, 3).codes(),
            Packed(values, QuantizeRule::kSearch, 64, true).codes());
}

TEST(QuantizeSearch, RefusesWhatHasNoGrid) {
  SerialFor serial;
  const auto message = [&](QuantizeRule rule, int bits, bool trits) {
    std::vector<uint16_t> values(64);
    std::vector<uint8_t> bytes(64);
    QuantizeArgs args;
    args.points = {values.data(), 1, 1, 64};
    args.rule = rule;
    args.bits = bits;
    args.trits = trits;
    args.block = 64;
    args.codes = args.scales = args.zeros = bytes.data();
    const std::string plain = QuantizeReference(args, serial).message;
    EXPECT_EQ(Quantize(args, serial).message, plain);
    return plain;
  };
  EXPECT_EQ(message(QuantizeRule::kSearch, 2, true), "");
  EXPECT_EQ(message(QuantizeRule::kSearch, 4, false),
            "trits, rule: bits must be 2");
  EXPECT_EQ(message(QuantizeRule::kFourLevels, 4, false),
            "trits, rule: bits must be 2");
  EXPECT_EQ(message(QuantizeRule::kFourSearch, 4, false),
            "trits, rule: bits must be 2");
  EXPECT_EQ(message(QuantizeRule::kAbsmax, 4, true),
            "trits, rule: bits must be 2");
  EXPECT_EQ(message(QuantizeRule::kFourLevels, 2, true),
            "trits: the rule must be symmetric");
  EXPECT_EQ(message(QuantizeRule::kMinMax, 2, true),
            "trits: the rule must be symmetric");
}

}  // namespace
}  // namespace qvg::kernels
