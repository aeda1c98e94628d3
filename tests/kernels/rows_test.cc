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

namespace qvg::kernels {
namespace {

using ::testing::HasSubstr;

using DecodeFunction = Error (*)(const PackedTensor& tensor, int64_t first,
                                 int64_t tokens, uint16_t* out,
                                 ParallelFor& parallel_for);

class DecodeRowsTest : public ::testing::TestWithParam<DecodeFunction> {};

INSTANTIATE_TEST_SUITE_P(Versions, DecodeRowsTest,
                         ::testing::Values(&DecodeRowsReference, &DecodeRows));

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

TEST(DecodeRows, FastVersionEqualsThePlainOne) {
  SerialFor serial;
  for (const CodecDescriptor& codec :
       {Rows(Encoding::kF32, 128), Residual(128, 4, 64, 3, 200)}) {
    RandomTensor tensor(codec, 2, 45, 4);
    std::vector<uint16_t> fast(2 * 45 * 128);
    std::vector<uint16_t> plain(fast.size());
    ASSERT_TRUE(DecodeRows(tensor.view(), 0, 45, fast.data(), serial).ok());
    ASSERT_TRUE(
        DecodeRowsReference(tensor.view(), 0, 45, plain.data(), serial).ok());
    EXPECT_EQ(fast, plain);
  }
}

using SubtractFunction = Error (*)(const Points& points,
                                   const uint16_t* centroids,
                                   int centroids_per_head, const uint8_t* ids,
                                   ParallelFor& parallel_for);

class SubtractCentroidsTest
    : public ::testing::TestWithParam<SubtractFunction> {};

INSTANTIATE_TEST_SUITE_P(Versions, SubtractCentroidsTest,
                         ::testing::Values(&SubtractCentroidsReference,
                                           &SubtractCentroids));

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
