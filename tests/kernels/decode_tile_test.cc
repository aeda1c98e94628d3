#include "kernels/decode_tile.h"

#include <cmath>
#include <cstdint>
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
        Product(128)}) {
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
         {Rows(Encoding::kF32, dim), Rows(Encoding::kBf16, dim),
          Residual(dim, 2, 16, 0, 0), Residual(dim, 4, 16, 0, 0),
          Residual(dim, 2, 32, 1, 256), Residual(dim, 4, 64, 2, 3),
          Residual(dim, 2, 64, 4, 16), Asymmetric(Residual(dim, 2, 64, 1, 16)),
          Asymmetric(Residual(dim, 4, 16, 0, 0)), Product(dim)}) {
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

}  // namespace
}  // namespace qvg::kernels
