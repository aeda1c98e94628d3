#include "kernels/min_max.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/decode_tile.h"
#include "kernels/hadamard.h"
#include "kernels/numeric.h"
#include "kernels/thread_pool.h"
#include "tests/kernels/random_tensors.h"
#include "tests/kernels/versions.h"
#ifdef QVG_TEST_DEVICE
#include "tests/kernels/cuda/on_device.h"
#endif

namespace qvg::kernels {
namespace {

using ::testing::HasSubstr;

using Function = Error (*)(const MinMaxArgs& args, ParallelFor& parallel_for);

// Values [H,T,D] through a codec, as PackedTensor.
class Packed {
 public:
  Packed(const std::vector<float>& values, int heads,
         const CodecDescriptor& codec, int threads = 1,
         Function encode = &EncodeMinMax)
      : points_(values.size()) {
    std::transform(values.begin(), values.end(), points_.begin(),
                   FloatToBFloat16);
    const int64_t row = int64_t{heads} * codec.head_dim;
    view_.codec = codec;
    view_.heads = heads;
    view_.tokens = static_cast<int64_t>(values.size()) / row;
    const int64_t grouped = GroupedTokens(codec, view_.tokens);
    codes_.resize(grouped * heads * CodeBytes(codec));
    scales_.resize(grouped * row / codec.block);
    zeros_.resize(scales_.size());
    rows_.resize((view_.tokens - grouped) * row);
    view_.values = rows_.data();
    view_.token_stride = row;
    view_.head_stride = codec.head_dim;
    view_.codes = codes_.data();
    view_.half_scales = scales_.data();
    view_.half_zeros = zeros_.data();
    Encode(encode, threads);
  }

  const std::vector<uint8_t>& codes() const { return codes_; }
  const std::vector<uint16_t>& scales() const { return scales_; }
  const std::vector<uint16_t>& zeros() const { return zeros_; }
  const std::vector<uint16_t>& rows() const { return rows_; }

  float Point(int head, int64_t token, int channel) const {
    const int dim = view_.codec.head_dim;
    return BFloat16ToFloat(
        points_[(head * view_.tokens + token) * dim + channel]);
  }

  std::vector<float> Decoded(int head) const {
    std::vector<float> out(view_.tokens * view_.codec.head_dim);
    DecodeTile(view_, head, 0, view_.tokens, out.data());
    return out;
  }

  double RelativeL2() const {
    double error = 0, energy = 0;
    const int dim = view_.codec.head_dim;
    for (int head = 0; head < view_.heads; ++head) {
      const std::vector<float> decoded = Decoded(head);
      for (size_t i = 0; i < decoded.size(); ++i) {
        const double x = Point(head, i / dim, static_cast<int>(i % dim));
        error += (decoded[i] - x) * (decoded[i] - x);
        energy += x * x;
      }
    }
    return std::sqrt(error / energy);
  }

 private:
  void Encode(Function encode, int threads) {
    MinMaxArgs args;
    args.points = {points_.data(), view_.heads, view_.tokens,
                   view_.codec.head_dim};
    args.codec = view_.codec;
    args.codes = codes_.data();
    args.half_scales = scales_.data();
    args.half_zeros = zeros_.data();
    args.rows = rows_.data();
    ThreadPool pool(threads);
    const Error error = encode(args, pool);
    EXPECT_TRUE(error.ok()) << error.message;
  }

  std::vector<uint16_t> points_;
  std::vector<uint8_t> codes_;
  std::vector<uint16_t> scales_;
  std::vector<uint16_t> zeros_;
  std::vector<uint16_t> rows_;
  PackedTensor view_;
};

TEST(MinMax, GroupsReachFromTheirLeastToTheirLargest) {
  std::vector<float> values(64, 0);
  values[0] = -1;
  values[1] = 2;
  values[2] = .5f;   // halfway between codes 1 and 2
  values[3] = 1.5f;  // and between 2 and 3
  const Packed packed(values, 1, ChannelGroups(64, 2, 32));
  EXPECT_EQ(packed.scales()[0], FloatToHalf(1));
  EXPECT_EQ(packed.zeros()[0], FloatToHalf(-1));
  EXPECT_EQ(packed.codes()[0], 0b00111010);
  EXPECT_EQ(packed.codes()[1], 0b01010101);
  EXPECT_EQ(packed.scales()[1], 0);
  EXPECT_EQ(packed.codes()[8], 0);
}

// Head 1, token 2: a group of two tokens each, the fifth token alone.
TEST(MinMax, TokenGroupsLieByGroupHeadAndChannel) {
  std::vector<float> values(2 * 5 * 64, 0);
  values[(1 * 5 + 2) * 64 + 7] = 3;
  values[(1 * 5 + 4) * 64 + 9] = 8;
  const Packed packed(values, 2, TokenGroups(64, 2, 2));
  std::vector<uint16_t> scales(2 * 2 * 64, 0);
  scales[(1 * 2 + 1) * 64 + 7] = FloatToHalf(1);
  EXPECT_EQ(packed.scales(), scales);
  std::vector<uint8_t> codes(4 * 2 * 16, 0);
  codes[(2 * 2 + 1) * 16 + 1] = 0b00000011;
  EXPECT_EQ(packed.codes(), codes);
  std::vector<uint16_t> rows(2 * 64, 0);
  rows[64 + 9] = FloatToBFloat16(8);
  EXPECT_EQ(packed.rows(), rows);
  EXPECT_EQ(packed.Decoded(1)[2 * 64 + 7], 3);
  EXPECT_EQ(packed.Decoded(1)[4 * 64 + 9], 8);
}

// Channel 1 alone is the second row of the matrix: 1 and -1 by turns.
TEST(MinMax, HadamardSpreadsAnOutlier) {
  std::vector<float> values(64, 0);
  values[1] = 8;
  const Packed packed(values, 1, Rotated(ChannelGroups(64, 2, 64)));
  EXPECT_EQ(packed.zeros()[0], FloatToHalf(-1));
  EXPECT_EQ(packed.scales()[0], FloatToHalf(2.0f / 3));
  EXPECT_EQ(packed.codes()[0], 0b11001100);
  std::vector<float> decoded = packed.Decoded(0);
  EXPECT_NEAR(decoded[1], 8, .03);
}

TEST(Hadamard, IsItsOwnInverseAndTheSylvesterMatrix) {
  for (const int dim : {64, 128, 256}) {
    const std::vector<float> values = RandomNormal(dim, 1, 3);
    std::vector<double> row(values.begin(), values.end());
    Hadamard(dim, row.data());
    for (int j = 0; j < dim; ++j) {
      double sum = 0;
      for (int i = 0; i < dim; ++i) {
        sum += __builtin_parity(i & j) ? -values[i] : values[i];
      }
      EXPECT_NEAR(row[j], sum / std::sqrt(dim), 1e-6);
    }
    Hadamard(dim, row.data());
    for (int i = 0; i < dim; ++i) EXPECT_NEAR(row[i], values[i], 1e-6);
  }
}

// Simulated elsewhere on normal data of unit variance.
TEST(MinMax, ErrorsOnNormalDataAreTheKnownOnes) {
  const int64_t tokens = 480;
  const std::vector<float> values = RandomNormal(tokens * 128, 1, 7);
  const struct {
    CodecDescriptor codec;
    double error;
  } cases[] = {{TokenGroups(128, 2, 40), .412},
               {TokenGroups(128, 2, 60), .444},
               {TokenGroups(128, 2, 120), .495},
               {ChannelGroups(128, 2, 32), .393},
               {ChannelGroups(128, 2, 64), .450},
               {ChannelGroups(128, 2, 128), .501},
               {TokenGroups(128, 4, 40), .082},
               {TokenGroups(128, 4, 120), .099},
               {ChannelGroups(128, 4, 32), .078},
               {ChannelGroups(128, 4, 128), .100},
               {Rotated(ChannelGroups(128, 2, 128)), .501}};
  for (const auto& [codec, error] : cases) {
    EXPECT_NEAR(Packed(values, 1, codec).RelativeL2(), error, .006)
        << codec.bits << " bits, groups of " << codec.block;
  }
}

// Keys with a few channels far off: groups along tokens do not mind, groups
// along channels do, and the rotation lies between.
TEST(MinMax, OutlierChannelsOrderTheCodecs) {
  std::vector<float> values = RandomNormal(480 * 128, 1, 8);
  for (size_t i = 0; i < values.size(); ++i) {
    if (i % 128 < 4) values[i] = 3 * values[i] + 10;
  }
  const auto error = [&](const CodecDescriptor& codec) {
    return Packed(values, 1, codec).RelativeL2();
  };
  const double tokens = error(TokenGroups(128, 2, 40));
  const double rotated = error(Rotated(ChannelGroups(128, 2, 128)));
  const double channels = error(ChannelGroups(128, 2, 128));
  EXPECT_NEAR(tokens, .22, .02);
  EXPECT_LT(tokens, rotated);
  EXPECT_LT(rotated, channels);
}

TEST(MinMax, BitsDoNotDependOnThreads) {
  const std::vector<float> values = RandomNormal(3 * 733 * 64, 1, 5);
  for (const CodecDescriptor& codec :
       {TokenGroups(64, 2, 32), ChannelGroups(64, 4, 16),
        Rotated(ChannelGroups(64, 2, 64))}) {
    const Packed one(values, 3, codec);
    const Packed three(values, 3, codec, 3);
    EXPECT_EQ(one.codes(), three.codes());
    EXPECT_EQ(one.scales(), three.scales());
    EXPECT_EQ(one.zeros(), three.zeros());
    EXPECT_EQ(one.rows(), three.rows());
  }
}

TEST(MinMax, HugeNumbersSaturate) {
  std::vector<float> values(3 * 64, 3e38f);
  for (size_t i = 0; i < values.size(); i += 2) values[i] = -3e38f;
  for (const CodecDescriptor& codec :
       {TokenGroups(64, 2, 3), ChannelGroups(64, 4, 16),
        Rotated(ChannelGroups(64, 2, 64))}) {
    for (const float value : Packed(values, 1, codec).Decoded(0)) {
      EXPECT_TRUE(std::isfinite(value));
    }
  }
}

class MinMaxTest : public VersionTest<Function> {};

INSTANTIATE_TEST_SUITE_P(Versions, MinMaxTest,
                         ::testing::Values(&EncodeMinMax));
#ifdef QVG_TEST_DEVICE
INSTANTIATE_TEST_SUITE_P(Device, MinMaxTest,
                         ::testing::Values(&EncodeMinMaxOnDevice));
#endif

// Groups that fill no block of threads, tokens left over, all head dims.
TEST_P(MinMaxTest, IsTheSameOnAnythingThatRunsIt) {
  for (const int dim : {64, 128, 256}) {
    for (const CodecDescriptor& codec :
         {TokenGroups(dim, 2, 7), TokenGroups(dim, 4, 32),
          ChannelGroups(dim, 2, 16), ChannelGroups(dim, 4, dim),
          Rotated(ChannelGroups(dim, 2, 64))}) {
      for (const int64_t tokens : {1, 19, 133}) {
        const std::vector<float> values = RandomNormal(2 * tokens * dim, 3, 5);
        const Packed one(values, 2, codec, 3, GetParam());
        const Packed other(values, 2, codec);
        ASSERT_EQ(one.codes(), other.codes()) << dim << " " << tokens;
        ASSERT_EQ(one.scales(), other.scales());
        ASSERT_EQ(one.zeros(), other.zeros());
        ASSERT_EQ(one.rows(), other.rows());
      }
    }
  }
}

TEST(MinMax, ErrorsNameTheField) {
  std::vector<uint16_t> halves(64 * 64);
  std::vector<uint8_t> codes(64 * 16);
  MinMaxArgs good;
  good.points = {halves.data(), 1, 2, 64};
  good.codec = ChannelGroups(64, 2, 64);
  good.codes = codes.data();
  good.half_scales = good.half_zeros = halves.data();
  SerialFor serial;
  const auto message = [&](auto change) {
    MinMaxArgs args = good;
    change(args);
    return std::string(EncodeMinMax(args, serial).message);
  };
  EXPECT_EQ(message([](auto&) {}), "");
  EXPECT_THAT(message([](auto& a) { a.codec = ChannelGroups(128, 2, 64); }),
              HasSubstr("codec"));
  EXPECT_THAT(message([](auto& a) { a.codec = Residual(64, 2, 64, 0, 0); }),
              HasSubstr("codec"));
  EXPECT_THAT(message([](auto& a) { a.codec.bits = 3; }), HasSubstr("bits"));
  EXPECT_THAT(message([](auto& a) { a.codec.block = 48; }), HasSubstr("block"));
  EXPECT_THAT(message([](auto& a) { a.half_zeros = nullptr; }),
              HasSubstr("half_zeros"));
  EXPECT_THAT(message([](auto& a) { a.codec = TokenGroups(64, 2, 16); }),
              HasSubstr("values"));
  EXPECT_THAT(message([](auto& a) { a.points.heads = 0; }), HasSubstr("heads"));
}

}  // namespace
}  // namespace qvg::kernels
