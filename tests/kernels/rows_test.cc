#include "kernels/rows.h"

#include <cmath>
#include <cstdint>
#include <string>
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

using ::testing::HasSubstr;

using DecodeFunction = Error (*)(const PackedTensor& tensor, int64_t first,
                                 int64_t tokens, uint16_t* out,
                                 ParallelFor& parallel_for);

class DecodeRowsTest : public VersionTest<DecodeFunction> {};

INSTANTIATE_TEST_SUITE_P(Versions, DecodeRowsTest,
                         ::testing::Values(&DecodeRowsReference, &DecodeRows));

#ifdef QVG_TEST_DEVICE
INSTANTIATE_TEST_SUITE_P(Device, DecodeRowsTest,
                         ::testing::Values(&DecodeRowsOnDevice));
#endif

TEST_P(DecodeRowsTest, RoundsTilesHeadByHead) {
  const RandomTables tables(Product(64), 3, 1);
  ThreadPool pool(2);
  for (const CodecDescriptor& codec :
       {Rows(Encoding::kF32, 64), Rows(Encoding::kBf16, 64),
        Residual(64, 2, 16, 2, 9), Product(64)}) {
    RandomTensor tensor(codec, 3, 50, 4, &tables, Layout::kStrided);
    std::vector<uint16_t> out(3 * 37 * 64);
    ASSERT_TRUE(GetParam()(tensor.view(), 11, 37, out.data(), pool).ok());
    for (int head = 0; head < 3; ++head) {
      std::vector<float> tile(37 * 64);
      DecodeTileReference(tensor.view(), head, 11, 37, tile.data());
      for (size_t i = 0; i < tile.size(); ++i) {
        // Rotations may differ in the last bit.
        EXPECT_NEAR(BFloat16ToFloat(out[head * tile.size() + i]), tile[i],
                    std::abs(tile[i]) / 250 + 1e-6f);
      }
    }
  }
}

TEST_P(DecodeRowsTest, RefusesWhatIsNotThere) {
  SerialFor serial;
  RandomTensor tensor(Rows(Encoding::kF32, 64), 1, 8, 4);
  uint16_t out[64];
  const auto message = [&](int64_t first, int64_t tokens, uint16_t* to) {
    return std::string(
        GetParam()(tensor.view(), first, tokens, to, serial).message);
  };
  EXPECT_EQ(message(7, 1, out), "");
  EXPECT_EQ(message(8, 0, nullptr), "");
  EXPECT_THAT(message(8, 1, out), HasSubstr("first, tokens"));
  EXPECT_THAT(message(-1, 1, out), HasSubstr("first, tokens"));
  EXPECT_THAT(message(0, 1, nullptr), HasSubstr("out"));
}

// All encodings but kProduct, whose rotation may differ in the last bit; rows
// that fill no tile and lie off every alignment.
TEST_P(DecodeRowsTest, EqualsThePlainOneBitForBit) {
  SerialFor serial;
  for (const int dim : {64, 128, 256}) {
    for (const CodecDescriptor& codec :
         {Rows(Encoding::kF32, dim), Rows(Encoding::kBf16, dim),
          Residual(dim, 2, 16, 0, 0), Residual(dim, 4, 32, 1, 256),
          Residual(dim, 2, 64, 1, 256), Residual(dim, 4, 64, 3, 200),
          Residual(dim, 2, 16, 4, 7), Asymmetric(Residual(dim, 2, 64, 1, 16)),
          Asymmetric(Residual(dim, 4, 16, 0, 0)),
          FourLevels(Residual(dim, 2, 64, 1, 200)),
          Trits(Residual(dim, 2, 32, 2, 9)), TokenGroups(dim, 2, 32),
          ChannelGroups(dim, 4, 64), Rotated(ChannelGroups(dim, 2, dim))}) {
      for (const int64_t tokens : {1, 3, 733}) {
        RandomTensor tensor(codec, 3, tokens + 2, 4, nullptr, Layout::kStrided);
        std::vector<uint16_t> out(3 * tokens * dim);
        std::vector<uint16_t> plain(out.size());
        ASSERT_TRUE(
            GetParam()(tensor.view(), 1, tokens, out.data(), serial).ok());
        ASSERT_TRUE(
            DecodeRowsReference(tensor.view(), 1, tokens, plain.data(), serial)
                .ok());
        ASSERT_EQ(out, plain) << dim << " " << tokens;
      }
    }
  }
}

// Parts of a span may begin at any even byte.
TEST_P(DecodeRowsTest, ReadsCodesAndCentroidsAtEvenBytes) {
  SerialFor serial;
  for (const int bits : {2, 4}) {
    RandomTensor tensor(Residual(64, bits, 64, 1, 9), 2, 50, 4);
    std::vector<uint8_t> codes(2, 0);
    codes.insert(codes.end(), tensor.view().codes,
                 tensor.view().codes + 2 * 50 * 64 * bits / 8);
    std::vector<uint16_t> centroids(1, 0);
    centroids.insert(centroids.end(), tensor.view().centroids,
                     tensor.view().centroids + 2 * 9 * 64);
    PackedTensor shifted = tensor.view();
    shifted.codes = codes.data() + 2;
    shifted.centroids = centroids.data() + 1;
    std::vector<uint16_t> out(2 * 50 * 64);
    std::vector<uint16_t> plain(out.size());
    ASSERT_TRUE(GetParam()(shifted, 0, 50, out.data(), serial).ok());
    ASSERT_TRUE(
        DecodeRowsReference(tensor.view(), 0, 50, plain.data(), serial).ok());
    EXPECT_EQ(out, plain);
  }
}

using SubtractFunction = Error (*)(const Points& points,
                                   const uint16_t* centroids,
                                   int centroids_per_head, const uint8_t* ids,
                                   ParallelFor& parallel_for);

class SubtractCentroidsTest : public VersionTest<SubtractFunction> {};

INSTANTIATE_TEST_SUITE_P(Versions, SubtractCentroidsTest,
                         ::testing::Values(&SubtractCentroidsReference,
                                           &SubtractCentroids));

#ifdef QVG_TEST_DEVICE
INSTANTIATE_TEST_SUITE_P(Device, SubtractCentroidsTest,
                         ::testing::Values(&SubtractCentroidsOnDevice));
#endif

std::vector<uint16_t> ToBFloat16(const std::vector<float>& values) {
  std::vector<uint16_t> out;
  for (const float value : values) out.push_back(FloatToBFloat16(value));
  return out;
}

TEST_P(SubtractCentroidsTest, SubtractsTheLabelledOneWithOneRounding) {
  const int heads = 2, tokens = 21, dim = 48, k = 5;
  std::vector<uint16_t> points = ToBFloat16(RandomNormal(2 * 21 * 48, 3, 1));
  const std::vector<uint16_t> centroids =
      ToBFloat16(RandomNormal(2 * 5 * 48, 3, 2));
  std::vector<uint8_t> ids(heads * tokens);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = i * 7 % k;
  const std::vector<uint16_t> before = points;
  ThreadPool pool(3);
  ASSERT_TRUE(GetParam()({points.data(), heads, tokens, dim}, centroids.data(),
                         k, ids.data(), pool)
                  .ok());
  for (int row = 0; row < heads * tokens; ++row) {
    for (int d = 0; d < dim; ++d) {
      const int head = row / tokens;
      const float exact =
          BFloat16ToFloat(before[row * dim + d]) -
          BFloat16ToFloat(centroids[(head * k + ids[row]) * dim + d]);
      EXPECT_EQ(points[row * dim + d], FloatToBFloat16(exact));
    }
  }
}

TEST_P(SubtractCentroidsTest, OverflowSaturates) {
  SerialFor serial;
  std::vector<uint16_t> points(16, FloatToBFloat16(kMaxBFloat16));
  points[1] ^= 0x8000;
  std::vector<uint16_t> centroids(16, FloatToBFloat16(-kMaxBFloat16));
  centroids[1] ^= 0x8000;
  const uint8_t id = 0;
  ASSERT_TRUE(
      GetParam()({points.data(), 1, 1, 16}, centroids.data(), 1, &id, serial)
          .ok());
  EXPECT_EQ(BFloat16ToFloat(points[0]), kMaxBFloat16);
  EXPECT_EQ(BFloat16ToFloat(points[1]), -kMaxBFloat16);
}

TEST_P(SubtractCentroidsTest, RefusesMissingInput) {
  SerialFor serial;
  std::vector<uint16_t> points(16);
  const uint8_t id = 0;
  const auto message = [&](const Points& p, const uint16_t* centroids) {
    return std::string(GetParam()(p, centroids, 1, &id, serial).message);
  };
  EXPECT_THAT(message({points.data(), 1, 1, 16}, nullptr),
              HasSubstr("centroids"));
  EXPECT_THAT(message({nullptr, 1, 1, 16}, points.data()), HasSubstr("points"));
  EXPECT_THAT(message({points.data(), 1, 1, 272}, points.data()),
              HasSubstr("dim"));
  EXPECT_THAT(message({points.data(), 1, -1, 16}, points.data()),
              HasSubstr("tokens"));
}

}  // namespace
}  // namespace qvg::kernels
