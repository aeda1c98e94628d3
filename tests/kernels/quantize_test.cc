#include "kernels/quantize.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/decode_tile.h"
#include "kernels/numeric.h"
#include "kernels/thread_pool.h"
#include "tests/kernels/random_tensors.h"
#include "tests/kernels/versions.h"
#ifdef QVG_TEST_DEVICE
#include "tests/kernels/cuda/on_device.h"
#endif

namespace qvg::kernels {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

struct Shape {
  int heads;
  int64_t tokens;
  int dim;
};

struct Output {
  std::vector<uint8_t> codes;
  std::vector<uint8_t> scales;
  std::vector<uint8_t> zeros;

  bool operator==(const Output&) const = default;
};

using Function = Error (*)(const QuantizeArgs& args, ParallelFor& parallel_for);

Output QuantizeWith(Function function, std::vector<float> values,
                    const Shape& shape, QuantizeRule rule, int bits, int block,
                    int threads = 1, bool trits = false) {
  std::vector<uint16_t> points(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    points[i] = FloatToBFloat16(values[i]);
  }
  const int64_t rows = shape.heads * shape.tokens;
  Output out;
  out.codes.resize(rows * (trits ? (shape.dim + 4) / 5 : shape.dim * bits / 8));
  out.scales.resize(rows * shape.dim / block);
  if (rule == QuantizeRule::kMinMax) out.zeros.resize(out.scales.size());
  QuantizeArgs args;
  args.points = {points.data(), shape.heads, shape.tokens, shape.dim};
  args.rule = rule;
  args.bits = bits;
  args.trits = trits;
  args.block = block;
  args.codes = out.codes.data();
  args.scales = out.scales.data();
  args.zeros = out.zeros.data();
  ThreadPool pool(threads);
  const Error error = function(args, pool);
  EXPECT_TRUE(error.ok()) << error.message;
  return out;
}

class QuantizeTest : public VersionTest<Function> {
 protected:
  // Quantizes one row of 16 channels that begins with `values`, the rest 0,
  // and returns the codes of those values, without their bias.
  std::vector<int> Codes(std::vector<float> values, QuantizeRule rule,
                         int bits) {
    const size_t count = values.size();
    values.resize(16, 0);
    const Output out =
        QuantizeWith(GetParam(), values, {1, 1, 16}, rule, bits, 16);
    scale_ = E4M3ToFloat(out.scales[0]);
    if (rule == QuantizeRule::kMinMax) zero_ = E4M3ToFloat(out.zeros[0]);
    const int bias = rule == QuantizeRule::kMinMax ? 0 : (1 << (bits - 1)) - 1;
    std::vector<int> codes;
    for (size_t i = 0; i < count; ++i) {
      const int byte = out.codes[i * bits / 8];
      const int shift = 8 - bits * (static_cast<int>(i) % (8 / bits) + 1);
      codes.push_back((byte >> shift & ((1 << bits) - 1)) - bias);
    }
    return codes;
  }

  float scale_ = 0;
  float zero_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Versions, QuantizeTest,
                         ::testing::Values(&QuantizeReference, &Quantize));

#ifdef QVG_TEST_DEVICE
INSTANTIATE_TEST_SUITE_P(Device, QuantizeTest,
                         ::testing::Values(&QuantizeOnDevice));
#endif

TEST_P(QuantizeTest, HalvesGoAwayFromZero) {
  EXPECT_THAT(Codes({7, .5f, 1.5f, 2.5f, -.5f, -3.5f, .49f, -.49f},
                    QuantizeRule::kAbsmax, 4),
              ElementsAreArray({7, 1, 2, 3, -1, -4, 0, 0}));
  EXPECT_EQ(scale_, 1);
  EXPECT_THAT(Codes({1, .5f, -.5f, .49f}, QuantizeRule::kAbsmax, 2),
              ElementsAreArray({1, 1, -1, 0}));
}

TEST_P(QuantizeTest, ScaleTiesGoToEven) {
  Codes({1.0625f}, QuantizeRule::kAbsmax, 2);
  EXPECT_EQ(scale_, 1.0f);
  Codes({-1.1875f}, QuantizeRule::kAbsmax, 2);
  EXPECT_EQ(scale_, 1.25f);
}

// The scale that is stored is the divisor: 1.0625 / 1 stays within +-1, and
// 7.4 / 1 within +-7.
TEST_P(QuantizeTest, CodesAreClamped) {
  EXPECT_THAT(Codes({1.0625f}, QuantizeRule::kAbsmax, 2),
              ElementsAreArray({1}));
  EXPECT_THAT(Codes({30000, -30000, 300}, QuantizeRule::kAbsmax, 2),
              ElementsAreArray({1, -1, 1}));
  EXPECT_EQ(scale_, 448);
  EXPECT_THAT(Codes({30000, -30000, 300}, QuantizeRule::kAbsmax, 4),
              ElementsAreArray({7, -7, 1}));
}

TEST_P(QuantizeTest, BlocksWithoutAScaleHaveCodesZero) {
  EXPECT_THAT(Codes({0x1p-10f, -0x1p-10f, 0}, QuantizeRule::kAbsmax, 2),
              ElementsAreArray({0, 0, 0}));
  EXPECT_EQ(scale_, 0);
  EXPECT_THAT(Codes({1e-40f, -0.0f}, QuantizeRule::kAbsmax, 4),
              ElementsAreArray({0, 0}));
  Codes({0x1.02p-10f}, QuantizeRule::kAbsmax, 2);
  EXPECT_EQ(scale_, 0x1p-9f);
}

TEST_P(QuantizeTest, RoundToNearestRoundsScalesUpAndCodesToEven) {
  EXPECT_THAT(Codes({1.0625f, .5f}, QuantizeRule::kRoundToNearest, 2),
              ElementsAreArray({1, 0}));
  EXPECT_EQ(scale_, 1.125f);
  EXPECT_THAT(
      Codes({7, .5f, 1.5f, 2.5f, -3.5f}, QuantizeRule::kRoundToNearest, 4),
      ElementsAreArray({7, 0, 2, 2, -4}));
  Codes({0}, QuantizeRule::kRoundToNearest, 2);
  EXPECT_EQ(scale_, 0x1p-9f);
  Codes({INFINITY}, QuantizeRule::kRoundToNearest, 2);
  EXPECT_EQ(scale_, 448);
  Codes({5 * 0x1p-10f}, QuantizeRule::kRoundToNearest, 2);
  EXPECT_EQ(scale_, 3 * 0x1p-9f);
}

TEST_P(QuantizeTest, MinMaxUsesEveryCode) {
  EXPECT_THAT(Codes({-1, 2, .5f, .49f, -.5f}, QuantizeRule::kMinMax, 2),
              ElementsAreArray({0, 3, 2, 1, 1}));
  EXPECT_EQ(scale_, 1);
  EXPECT_EQ(zero_, -1);
  const std::vector<float> constant(16, 1.0625f);
  EXPECT_THAT(Codes(constant, QuantizeRule::kMinMax, 2), Each(0));
  EXPECT_EQ(scale_, 0);
  EXPECT_EQ(zero_, 1);
}

// A quotient of the FP32 number just below .5 is not .5.
TEST_P(QuantizeTest, JustBelowAHalfRoundsDown) {
  std::vector<float> values(16, -.5f);
  values[1] = 2.5f;  // scale 1, zero -.5
  values[2] = -0x1p-25f;
  EXPECT_EQ(Codes(values, QuantizeRule::kMinMax, 2)[2], 0);
  ASSERT_EQ(scale_, 1);
}

TEST_P(QuantizeTest, TokensAreMajorAndHeadsContiguous) {
  const Shape shape = {2, 3, 16};
  std::vector<float> values(2 * 3 * 16, 0);
  values[(1 * 3 + 2) * 16 + 5] = -2;  // head 1, token 2, channel 5
  const Output out =
      QuantizeWith(GetParam(), values, shape, QuantizeRule::kAbsmax, 2, 16);
  std::vector<uint8_t> codes(2 * 3 * 4, 0x55);
  codes[(2 * 2 + 1) * 4 + 1] = 0b01000101;
  std::vector<uint8_t> scales(2 * 3, 0);
  scales[2 * 2 + 1] = FloatToE4M3(2);
  EXPECT_EQ(out.codes, codes);
  EXPECT_EQ(out.scales, scales);
}

TEST_P(QuantizeTest, ErrorsNameTheField) {
  SerialFor serial;
  std::vector<uint16_t> values(64);
  std::vector<uint8_t> bytes(64);
  QuantizeArgs good;
  good.points = {values.data(), 1, 1, 64};
  good.bits = 2;
  good.block = 64;
  good.codes = good.scales = bytes.data();
  const auto message = [&](auto change) {
    QuantizeArgs args = good;
    change(args);
    return std::string(GetParam()(args, serial).message);
  };
  EXPECT_EQ(message([](QuantizeArgs&) {}), "");
  EXPECT_THAT(message([](auto& a) { a.bits = 3; }), HasSubstr("bits"));
  EXPECT_THAT(message([](auto& a) { a.block = 48; }), HasSubstr("block"));
  EXPECT_THAT(message([](auto& a) { a.points.dim = 48; }), HasSubstr("block"));
  EXPECT_THAT(message([](auto& a) { a.points.dim = 24; }), HasSubstr("dim"));
  EXPECT_THAT(message([](auto& a) { a.codes = nullptr; }), HasSubstr("codes"));
  EXPECT_THAT(message([](auto& a) { a.points.heads = 0; }), HasSubstr("heads"));
  EXPECT_THAT(message([](auto& a) { a.rule = QuantizeRule::kMinMax; }),
              HasSubstr("zeros"));
  EXPECT_EQ(message([](auto& a) { a.points = {nullptr, 1, 0, 64}; }), "");
}

// Normal values of many magnitudes, subnormal, huge and infinite ones.
std::vector<float> ManyMagnitudes(const Shape& shape) {
  std::vector<float> values =
      RandomNormal(shape.heads * shape.tokens * shape.dim, 1, 5);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] *= std::exp2(static_cast<float>(i / shape.dim % 23) - 12);
  }
  values[5] = 1e-40f;
  values[shape.dim + 1] = -3e38f;
  values[2 * shape.dim + 7] = INFINITY;
  return values;
}

TEST_P(QuantizeTest, EqualsThePlainOneOnAnyNumberOfThreads) {
  for (const QuantizeRule rule : {QuantizeRule::kAbsmax, QuantizeRule::kMinMax,
                                  QuantizeRule::kRoundToNearest}) {
    for (const auto& [bits, block, dim] :
         {std::tuple(2, 16, 48), std::tuple(2, 64, 64), std::tuple(4, 16, 64),
          std::tuple(2, 16, 128), std::tuple(2, 32, 128),
          std::tuple(2, 64, 128), std::tuple(4, 64, 128),
          std::tuple(4, 32, 256), std::tuple(2, 64, 256)}) {
      const Shape shape = {3, 77, dim};
      const std::vector<float> values = ManyMagnitudes(shape);
      const Output plain =
          QuantizeWith(&QuantizeReference, values, shape, rule, bits, block);
      for (const int threads : {1, 3}) {
        ASSERT_EQ(
            QuantizeWith(GetParam(), values, shape, rule, bits, block, threads),
            plain)
            << static_cast<int>(rule) << " " << bits << " " << block << " "
            << dim;
      }
    }
  }
}

TEST_P(QuantizeTest, SearchedRulesAndTritsEqualThePlainOne) {
  for (const auto& [rule, trits] :
       {std::tuple(QuantizeRule::kSearch, false),
        std::tuple(QuantizeRule::kFourLevels, false),
        std::tuple(QuantizeRule::kFourSearch, false),
        std::tuple(QuantizeRule::kAbsmax, true),
        std::tuple(QuantizeRule::kSearch, true)}) {
    for (const auto& [block, dim] :
         {std::tuple(16, 48), std::tuple(32, 64), std::tuple(64, 128),
          std::tuple(16, 256)}) {
      const Shape shape = {2, 77, dim};
      const std::vector<float> values = ManyMagnitudes(shape);
      ASSERT_EQ(
          QuantizeWith(GetParam(), values, shape, rule, 2, block, 1, trits),
          QuantizeWith(&QuantizeReference, values, shape, rule, 2, block, 1,
                       trits))
          << static_cast<int>(rule) << " " << trits << " " << dim;
    }
  }
}

using Case = std::tuple<QuantizeRule, int, int, int>;  // rule, bits, block, dim

class QuantizeRulesTest : public ::testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    All, QuantizeRulesTest,
    ::testing::Combine(::testing::Values(QuantizeRule::kAbsmax,
                                         QuantizeRule::kMinMax,
                                         QuantizeRule::kRoundToNearest),
                       ::testing::Values(2, 4), ::testing::Values(16, 32, 64),
                       ::testing::Values(64, 128, 256)));

// Quantizing keeps within half a step of what decoding gives back.
TEST_P(QuantizeRulesTest, DecodeToWithinHalfAStep) {
  const auto [rule, bits, block, dim] = GetParam();
  const std::vector<float> values = RandomNormal(int64_t{4} * dim, 1, 6);
  Output out = QuantizeWith(&Quantize, values, {1, 4, dim}, rule, bits, block);
  PackedTensor tensor;
  tensor.codec = Residual(dim, bits, block, 0, 0);
  tensor.codec.asymmetric = rule == QuantizeRule::kMinMax;
  tensor.heads = 1;
  tensor.tokens = 4;
  tensor.codes = out.codes.data();
  tensor.scales = out.scales.data();
  tensor.zeros = out.zeros.data();
  std::vector<float> decoded(values.size());
  DecodeTile(tensor, 0, 0, 4, decoded.data());
  for (size_t i = 0; i < values.size(); ++i) {
    const float scale = E4M3ToFloat(out.scales[i / block]);
    // Beside the half step: scale and zero are off by 1/16 at most, the value
    // and the result by 1/256.
    const int steps =
        rule == QuantizeRule::kMinMax ? (1 << bits) - 1 : (1 << (bits - 1)) - 1;
    const float range = scale * static_cast<float>(steps);
    EXPECT_NEAR(decoded[i], values[i], .5f * scale + range / 8);
  }
}

}  // namespace
}  // namespace qvg::kernels
