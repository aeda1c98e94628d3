#include "kernels/decode_tile.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/numeric.h"
#include "tests/kernels/random_tensors.h"

namespace qvg::kernels {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

constexpr uint8_t kOne = 0x38;   // E4M3 of 1
constexpr uint8_t kHalf = 0x30;  // and of .5

using Function = void (*)(const PackedTensor& tensor, int head, int64_t first,
                          int64_t tokens, float* out);

std::vector<float> DecodeWith(Function function, const PackedTensor& tensor,
                              int head, int64_t first, int64_t tokens) {
  std::vector<float> out(tokens * tensor.codec.head_dim, 77);
  function(tensor, head, first, tokens, out.data());
  return out;
}

// Every property holds for the plain version and for the fast one.
class DecodeTileTest : public ::testing::TestWithParam<Function> {
 protected:
  static std::vector<float> Decode(const PackedTensor& tensor, int head,
                                   int64_t first, int64_t tokens) {
    return DecodeWith(GetParam(), tensor, head, first, tokens);
  }
};

INSTANTIATE_TEST_SUITE_P(Versions, DecodeTileTest,
                         ::testing::Values(&DecodeTileReference, &DecodeTile));

TEST_P(DecodeTileTest, TwoBitsAreFirstChannelHighestAndOffByOne) {
  std::vector<uint8_t> codes(16, 0b01010101);  // all 0
  codes[0] = 0b00011010;                       // -1 0 1 1
  const std::vector<uint8_t> scales = {kHalf};
  PackedTensor tensor;
  tensor.codec = Residual(64, 2, 64, 0, 0);
  tensor.heads = 1;
  tensor.tokens = 1;
  tensor.codes = codes.data();
  tensor.scales = scales.data();
  std::vector<float> out = Decode(tensor, 0, 0, 1);
  EXPECT_THAT(std::vector<float>(out.begin(), out.begin() + 4),
              ElementsAre(-.5f, 0, .5f, .5f));
  EXPECT_THAT(std::vector<float>(out.begin() + 4, out.end()), Each(0));
}

TEST_P(DecodeTileTest, FourBitsAreHighNibbleFirstAndOffBySeven) {
  std::vector<uint8_t> codes(32, 0x77);  // all 0
  codes[0] = 0x0e;                       // -7 7
  codes[31] = 0x86;                      // 1 -1
  const std::vector<uint8_t> scales = {kOne, kOne, kOne, kHalf};
  PackedTensor tensor;
  tensor.codec = Residual(64, 4, 16, 0, 0);
  tensor.heads = 1;
  tensor.tokens = 1;
  tensor.codes = codes.data();
  tensor.scales = scales.data();
  const std::vector<float> out = Decode(tensor, 0, 0, 1);
  EXPECT_EQ(out[0], -7);
  EXPECT_EQ(out[1], 7);
  EXPECT_EQ(out[62], .5f);
  EXPECT_EQ(out[63], -.5f);
}

TEST_P(DecodeTileTest, AsymmetricCodesCountUpFromTheirZero) {
  std::vector<uint8_t> codes(16, 0);
  codes[0] = 0b00011011;  // 0 1 2 3
  const std::vector<uint8_t> scales = {kHalf};
  const std::vector<uint8_t> zeros = {kOne | 0x80};
  PackedTensor tensor;
  tensor.codec = Asymmetric(Residual(64, 2, 64, 0, 0));
  tensor.heads = 1;
  tensor.tokens = 1;
  tensor.codes = codes.data();
  tensor.scales = scales.data();
  tensor.zeros = zeros.data();
  const std::vector<float> out = Decode(tensor, 0, 0, 1);
  EXPECT_THAT(std::vector<float>(out.begin(), out.begin() + 4),
              ElementsAre(-1, -.5f, 0, .5f));
  EXPECT_THAT(std::vector<float>(out.begin() + 4, out.end()), Each(-1));
}

TEST_P(DecodeTileTest, FourLevelsTakeTheirRatioFromTheSignOfTheScale) {
  const std::vector<uint8_t> codes(32, 0b00011011);  // 0 1 2 3
  const std::vector<uint8_t> scales = {kHalf, kOne | 0x80};
  PackedTensor tensor;
  tensor.codec = FourLevels(Residual(128, 2, 64, 0, 0));
  tensor.heads = 1;
  tensor.tokens = 1;
  tensor.codes = codes.data();
  tensor.scales = scales.data();
  const std::vector<float> out = Decode(tensor, 0, 0, 1);
  EXPECT_THAT(std::vector<float>(out.begin(), out.begin() + 4),
              ElementsAre(-.5f, -.09375f, .09375f, .5f));
  EXPECT_THAT(std::vector<float>(out.begin() + 64, out.begin() + 68),
              ElementsAre(-1, -.3125f, .3125f, 1));
}

// 81 v0 + 27 v1 + ... of 2 1 0 2 1 is 196; of the row's last four and the
// trit that pads it, 0 1 2 0 0, 45.
TEST_P(DecodeTileTest, FiveTritsShareAByteFirstChannelHighest) {
  std::vector<uint8_t> codes(13, 128);  // 121: all 1, which is 0
  codes[0] = 207;                       // ceil(196 * 256 / 243)
  codes[12] = 48;
  const std::vector<uint8_t> scales = {kHalf};
  PackedTensor tensor;
  tensor.codec = Trits(Residual(64, 2, 64, 0, 0));
  tensor.heads = 1;
  tensor.tokens = 1;
  tensor.codes = codes.data();
  tensor.scales = scales.data();
  const std::vector<float> out = Decode(tensor, 0, 0, 1);
  EXPECT_THAT(std::vector<float>(out.begin(), out.begin() + 5),
              ElementsAre(.5f, 0, -.5f, .5f, 0));
  EXPECT_THAT(std::vector<float>(out.begin() + 5, out.begin() + 60), Each(0));
  EXPECT_THAT(std::vector<float>(out.begin() + 60, out.end()),
              ElementsAre(-.5f, 0, .5f, -.5f));
}

TEST(Trit, ReadsAllNumbersBack) {
  for (int number = 0; number < 243; ++number) {
    const int byte = (number * 256 + 242) / 243;
    int read = 0;
    for (int i = 0; i < 5; ++i) {
      read = 3 * read + Trit(static_cast<uint8_t>(byte), i);
    }
    EXPECT_EQ(read, number);
  }
}

TEST_P(DecodeTileTest, ChannelGroupsHaveAScaleAndAZeroEach) {
  std::vector<uint8_t> codes(32, 0x50);                   // 5 0
  const std::vector<uint16_t> scales = {0x3c00, 0x3800};  // 1 .5
  const std::vector<uint16_t> zeros = {0xc000, 0x3c00};   // -2 1
  PackedTensor tensor;
  tensor.codec = ChannelGroups(64, 4, 32);
  tensor.heads = 1;
  tensor.tokens = 1;
  tensor.codes = codes.data();
  tensor.half_scales = scales.data();
  tensor.half_zeros = zeros.data();
  const std::vector<float> out = Decode(tensor, 0, 0, 1);
  EXPECT_THAT(std::vector<float>(out.begin(), out.begin() + 2),
              ElementsAre(3, -2));
  EXPECT_THAT(std::vector<float>(out.begin() + 32, out.begin() + 34),
              ElementsAre(3.5f, 1));
}

// Two groups of two tokens and one token that fills none, of two heads.
TEST_P(DecodeTileTest, TokenGroupsEndInRows) {
  std::vector<uint8_t> codes(4 * 2 * 16);
  for (int t = 0; t < 4; ++t) std::fill_n(&codes[t * 32], 32, 0x55 * t);
  std::vector<uint16_t> scales(2 * 2 * 64, FloatToHalf(1));
  std::vector<uint16_t> zeros(2 * 2 * 64);
  for (int i = 0; i < 256; ++i) zeros[i] = FloatToHalf(10.0f * i);
  const std::vector<uint16_t> rows(2 * 64, FloatToBFloat16(7));
  PackedTensor tensor;
  tensor.codec = TokenGroups(64, 2, 2);
  tensor.heads = 2;
  tensor.tokens = 5;
  tensor.codes = codes.data();
  tensor.half_scales = scales.data();
  tensor.half_zeros = zeros.data();
  tensor.values = rows.data();
  tensor.token_stride = 128;
  tensor.head_stride = 64;
  const std::vector<float> out = Decode(tensor, 1, 1, 4);
  EXPECT_EQ(out[0], RoundToBFloat16(640 + 1));
  EXPECT_EQ(out[63], RoundToBFloat16(1270 + 1));
  EXPECT_EQ(out[64], RoundToBFloat16(1920 + 2));
  EXPECT_EQ(out[128], RoundToBFloat16(1920 + 3));
  EXPECT_THAT(std::vector<float>(out.begin() + 192, out.end()), Each(7));
}

// A row that is 8 in channel 1 of 64 reads as the second row of the matrix.
TEST_P(DecodeTileTest, HadamardRowsAreRotatedBack) {
  std::vector<uint8_t> codes(16, 0);
  codes[0] = 0b00010000;
  const std::vector<uint16_t> scales = {FloatToHalf(8)};
  const std::vector<uint16_t> zeros = {0};
  PackedTensor tensor;
  tensor.codec = Rotated(ChannelGroups(64, 2, 64));
  tensor.heads = 1;
  tensor.tokens = 1;
  tensor.codes = codes.data();
  tensor.half_scales = scales.data();
  tensor.half_zeros = zeros.data();
  const std::vector<float> out = Decode(tensor, 0, 0, 1);
  for (int d = 0; d < 64; ++d) EXPECT_EQ(out[d], d % 2 == 0 ? 1 : -1);
}

// 2^-9 is lost beside 1 if added to it in BF16, and kept if the small terms
// meet first in FP32.
TEST_P(DecodeTileTest, StagesAddUpInFp32AndRoundOnce) {
  const std::vector<uint8_t> codes(16, 0b10101010);  // all 1
  const std::vector<uint8_t> scales = {0x01};        // 2^-9
  const std::vector<uint8_t> ids = {1, 0};
  std::vector<uint16_t> centroids(2 * 2 * 64, FloatToBFloat16(99));
  std::fill_n(centroids.begin() + 64, 64, FloatToBFloat16(1));
  std::fill_n(centroids.begin() + 128, 64, FloatToBFloat16(0x1p-8f));
  PackedTensor tensor;
  tensor.codec = Residual(64, 2, 64, 2, 2);
  tensor.heads = 1;
  tensor.tokens = 1;
  tensor.codes = codes.data();
  tensor.scales = scales.data();
  tensor.ids = ids.data();
  tensor.centroids = centroids.data();
  EXPECT_THAT(Decode(tensor, 0, 0, 1), Each(1 + 0x1p-7f));
}

TEST_P(DecodeTileTest, ProductIsRotatedScaledEntriesPlusMean) {
  // The rotation moves channel j to j + 1.
  std::vector<float> rotation(64 * 64, 0);
  for (int j = 0; j < 64; ++j) rotation[(j + 1) % 64 * 64 + j] = 1;
  std::vector<float> mean(64, 10);
  std::vector<float> codebook(16 * 256 * 4, 0);
  for (int i = 0; i < 4; ++i) codebook[(1 * 256 + 200) * 4 + i] = 1.0f + i;
  std::vector<uint8_t> codes(16, 3);
  codes[1] = 200;
  const std::vector<uint8_t> scales = {kHalf};
  PackedTensor tensor;
  tensor.codec = Product(64);
  tensor.heads = 1;
  tensor.tokens = 1;
  tensor.codes = codes.data();
  tensor.scales = scales.data();
  tensor.tables = {rotation.data(), mean.data(), codebook.data()};
  std::vector<float> expected(64, 10);
  for (int i = 0; i < 4; ++i) expected[5 + i] += .5f * (1 + i);
  EXPECT_EQ(Decode(tensor, 0, 0, 1), expected);
}

TEST_P(DecodeTileTest, RowsFollowTheirStrides) {
  RandomTensor tensor(Rows(Encoding::kF32, 64), 3, 9, 1, nullptr,
                      Layout::kStrided);
  const std::vector<float> out = Decode(tensor.view(), 2, 4, 5);
  for (int t = 0; t < 5; ++t) {
    for (int d = 0; d < 64; ++d) {
      EXPECT_EQ(out[t * 64 + d], tensor.at(4 + t, 2, d));
    }
  }
}

TEST_P(DecodeTileTest, BFloat16RowsAreExact) {
  RandomTensor tensor(Rows(Encoding::kBf16, 64), 2, 9, 1);
  const auto* values = static_cast<const uint16_t*>(tensor.view().values);
  const std::vector<float> out = Decode(tensor.view(), 1, 3, 1);
  for (int d = 0; d < 64; ++d) {
    EXPECT_EQ(out[d], BFloat16ToFloat(values[(3 * 2 + 1) * 64 + d]));
  }
}

TEST_P(DecodeTileTest, AnyTileIsASliceOfTheWhole) {
  const RandomTables tables(Product(128), 3, 1);
  for (const CodecDescriptor& codec :
       {Rows(Encoding::kF32, 128), Rows(Encoding::kBf16, 128),
        Residual(128, 2, 64, 1, 256), Residual(128, 4, 16, 4, 7),
        Trits(Residual(128, 2, 64, 1, 256)), TokenGroups(128, 2, 16),
        Rotated(ChannelGroups(128, 4, 128)), Product(128)}) {
    RandomTensor tensor(codec, 3, 41, 2, &tables);
    const std::vector<float> whole = Decode(tensor.view(), 2, 0, 41);
    for (const int first : {0, 1, 17}) {
      EXPECT_EQ(Decode(tensor.view(), 2, first, 24),
                std::vector<float>(whole.begin() + first * 128,
                                   whole.begin() + (first + 24) * 128));
    }
  }
}

// All codecs, shapes that fill no vector, odd offsets; bits equal but for the
// rotation.
TEST(DecodeTile, FastVersionEqualsThePlainOne) {
  for (const int dim : {64, 128, 256}) {
    const RandomTables tables(Product(dim), 3, 1);
    for (const CodecDescriptor& codec :
         {Rows(Encoding::kF32, dim),
          Rows(Encoding::kBf16, dim),
          Residual(dim, 2, 16, 0, 0),
          Residual(dim, 4, 16, 0, 0),
          Residual(dim, 2, 32, 1, 256),
          Residual(dim, 4, 64, 2, 3),
          Residual(dim, 2, 64, 4, 16),
          Asymmetric(Residual(dim, 2, 64, 1, 16)),
          Asymmetric(Residual(dim, 4, 16, 0, 0)),
          FourLevels(Residual(dim, 2, 16, 1, 5)),
          FourLevels(Residual(dim, 2, 64, 0, 0)),
          Trits(Residual(dim, 2, 16, 0, 0)),
          Trits(Residual(dim, 2, 64, 2, 9)),
          ChannelGroups(dim, 2, 16),
          ChannelGroups(dim, 4, dim),
          Rotated(ChannelGroups(dim, 2, dim)),
          Rotated(ChannelGroups(dim, 4, 32)),
          TokenGroups(dim, 2, 13),
          TokenGroups(dim, 4, 16),
          TokenGroups(dim, 4, 50),
          Product(dim)}) {
      RandomTensor tensor(codec, 3, 41, 2, &tables, Layout::kStrided);
      const auto fast = DecodeWith(&DecodeTile, tensor.view(), 1, 5, 35);
      const auto plain =
          DecodeWith(&DecodeTileReference, tensor.view(), 1, 5, 35);
      const float tolerance = codec.encoding == Encoding::kProduct ? 2e-5f : 0;
      EXPECT_THAT(fast, Pointwise(FloatNear(tolerance), plain));
    }
  }
}

TEST_P(DecodeTileTest, NanScalesDecodeToNan) {
  const std::vector<uint8_t> codes(32, 0xaa);
  const std::vector<uint8_t> scales = {0x7f, kOne};
  PackedTensor tensor;
  tensor.codec = Residual(128, 2, 64, 0, 0);
  tensor.heads = 1;
  tensor.tokens = 1;
  tensor.codes = codes.data();
  tensor.scales = scales.data();
  const std::vector<float> out = Decode(tensor, 0, 0, 1);
  EXPECT_TRUE(std::isnan(out[0]));
  EXPECT_TRUE(std::isnan(out[63]));
  EXPECT_EQ(out[64], 1);
}

std::string Problem(const CodecDescriptor& codec, int64_t tokens = 0) {
  PackedTensor tensor;
  tensor.codec = codec;
  tensor.heads = 1;
  tensor.tokens = tokens;
  return Check(tensor).message;
}

TEST(CheckPackedTensor, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(Problem(Residual(64, 2, 64, 0, 0)), "");
  EXPECT_EQ(Problem(Residual(96, 2, 64, 0, 0)),
            "head_dim: must be 64, 128 or 256");
  EXPECT_EQ(Problem(Residual(64, 3, 64, 0, 0)), "bits: must be 2 or 4");
  EXPECT_EQ(Problem(Residual(64, 2, 64, 0, 0), 1), "codes, scales: null");
  EXPECT_EQ(Problem(Trits(FourLevels(Residual(64, 2, 64, 0, 0)))),
            "asymmetric, four_levels, trits: more than one");
  EXPECT_EQ(Problem(Trits(Residual(64, 4, 64, 0, 0))),
            "four_levels, trits: bits must be 2");
  EXPECT_EQ(Problem(FourLevels(Residual(64, 4, 64, 0, 0))),
            "four_levels, trits: bits must be 2");
  EXPECT_EQ(Problem(ChannelGroups(64, 2, 64)), "");
  EXPECT_EQ(Problem(ChannelGroups(64, 8, 64)), "bits: must be 2 or 4");
  EXPECT_EQ(Problem(ChannelGroups(64, 2, 128)),
            "block: must be at least 16 and divide head_dim");
  EXPECT_EQ(Problem(ChannelGroups(64, 2, 8)),
            "block: must be at least 16 and divide head_dim");
  EXPECT_EQ(Problem(TokenGroups(64, 2, 0)), "block: must be at least 1");
  EXPECT_EQ(Problem(Rotated(TokenGroups(64, 2, 16))),
            "hadamard: groups must be of channels");
  EXPECT_EQ(Problem(TokenGroups(64, 2, 16), 16),
            "codes, half_scales, half_zeros: null");
  EXPECT_EQ(Problem(TokenGroups(64, 2, 16), 15), "values: null");
}

}  // namespace
}  // namespace qvg::kernels
