#include "kernels/copy_tokens.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/numeric.h"
#include "tests/kernels/versions.h"
#ifdef QVG_TEST_DEVICE
#include "tests/kernels/cuda/on_device.h"
#endif

namespace qvg::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Case {
  int heads;
  int head_dim;
  int64_t tokens;
  bool head_major;
};

template <typename T>
PackedTensor TensorOf(const Case& c, const std::vector<T>& values) {
  PackedTensor tensor;
  tensor.codec.encoding = sizeof(T) == 4 ? Encoding::kF32 : Encoding::kBf16;
  tensor.codec.head_dim = c.head_dim;
  tensor.heads = c.heads;
  tensor.tokens = c.tokens;
  tensor.values = values.data();
  tensor.token_stride = c.head_major ? c.head_dim : c.heads * c.head_dim;
  tensor.head_stride = c.head_major ? c.tokens * c.head_dim : c.head_dim;
  return tensor;
}

int64_t Size(const Case& c) { return c.heads * c.head_dim * c.tokens; }

int64_t SourceIndex(const Case& c, int64_t out_index) {
  const int64_t d = out_index % c.head_dim;
  const int64_t h = out_index / c.head_dim % c.heads;
  const int64_t t = out_index / c.head_dim / c.heads;
  return c.head_major ? (h * c.tokens + t) * c.head_dim + d : out_index;
}

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {1, 64, 1, false}, {4, 64, 128, false}, {4, 64, 128, true},
      {3, 5, 7, true},   {3, 5, 7, false},    {2, 128, 0, true}};
  return cases;
}

std::vector<float> RandomFloats(int64_t count) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

using CopyFunction = void (*)(const PackedTensor& from, Encoding to, void* out);
using FiniteFunction = bool (*)(const PackedTensor& tensor);

class CopyTokensTest : public VersionTest<CopyFunction> {};
class AllFiniteTest : public VersionTest<FiniteFunction> {};

INSTANTIATE_TEST_SUITE_P(Versions, CopyTokensTest,
                         ::testing::Values(&CopyTokens));
INSTANTIATE_TEST_SUITE_P(Versions, AllFiniteTest,
                         ::testing::Values(&AllFinite));
#ifdef QVG_TEST_DEVICE
INSTANTIATE_TEST_SUITE_P(Device, CopyTokensTest,
                         ::testing::Values(&CopyTokensOnDevice));
INSTANTIATE_TEST_SUITE_P(Device, AllFiniteTest,
                         ::testing::Values(&AllFiniteOnDevice));
#endif

TEST_P(CopyTokensTest, F32ToBf16RoundsToNearestEven) {
  for (const Case& c : Cases()) {
    const std::vector<float> from = RandomFloats(Size(c));
    std::vector<uint16_t> out(Size(c));
    GetParam()(TensorOf(c, from), Encoding::kBf16, out.data());
    for (int64_t i = 0; i < Size(c); ++i) {
      const float value = from[SourceIndex(c, i)];
      const float stored = BFloat16ToFloat(out[i]);
      const float ulp = std::ldexp(1.0f, std::ilogb(value) - 7);
      ASSERT_LE(std::abs(stored - value), ulp / 2) << i;
    }
  }
}

TEST_P(CopyTokensTest, TiesGoToEven) {
  const Case c = {1, 4, 1, false};
  const std::vector<float> from = {
      std::bit_cast<float>(0x3f808000u), std::bit_cast<float>(0x3f818000u),
      std::bit_cast<float>(0x3f808001u), std::bit_cast<float>(0xbf818000u)};
  std::vector<uint16_t> out(4);
  GetParam()(TensorOf(c, from), Encoding::kBf16, out.data());
  EXPECT_EQ(out, (std::vector<uint16_t>{0x3f80, 0x3f82, 0x3f81, 0xbf82}));
}

TEST_P(CopyTokensTest, Bf16ToF32AndBackIsExact) {
  for (const Case& c : Cases()) {
    std::vector<uint16_t> from(Size(c));
    for (int64_t i = 0; i < Size(c); ++i) {
      from[i] = static_cast<uint16_t>(i * 37 % 0x7f80);
    }
    std::vector<float> wide(Size(c));
    GetParam()(TensorOf(c, from), Encoding::kF32, wide.data());
    std::vector<uint16_t> same(Size(c));
    GetParam()(TensorOf(c, from), Encoding::kBf16, same.data());
    for (int64_t i = 0; i < Size(c); ++i) {
      ASSERT_EQ(wide[i], BFloat16ToFloat(from[SourceIndex(c, i)]));
      ASSERT_EQ(same[i], from[SourceIndex(c, i)]);
    }
  }
}

TEST_P(CopyTokensTest, F32ToF32IsExact) {
  for (const Case& c : Cases()) {
    const std::vector<float> from = RandomFloats(Size(c));
    std::vector<float> out(Size(c));
    GetParam()(TensorOf(c, from), Encoding::kF32, out.data());
    for (int64_t i = 0; i < Size(c); ++i) {
      ASSERT_EQ(out[i], from[SourceIndex(c, i)]);
    }
  }
}

TEST_P(AllFiniteTest, FindsOneBadValueAnywhere) {
  const float kBad[] = {kNan, -kNan, kInf, -kInf,
                        std::numeric_limits<float>::max()};
  for (const Case& c : Cases()) {
    std::vector<float> values = RandomFloats(Size(c));
    EXPECT_TRUE(GetParam()(TensorOf(c, values)));
    for (int64_t i = 0; i < Size(c); i += 1 + Size(c) / 13) {
      for (const float bad : kBad) {
        const float good = std::exchange(values[i], bad);
        EXPECT_FALSE(GetParam()(TensorOf(c, values))) << i << " " << bad;
        values[i] = good;
      }
    }
  }
}

TEST_P(AllFiniteTest, TheLimitIsWhatRoundsToAFiniteNumber) {
  const Case c = {1, 1, 1, false};
  for (const uint32_t bits : {0x7f7f7fffu, 0x7f7f8000u}) {
    const float value = std::bit_cast<float>(bits);
    const bool finite = std::isfinite(RoundToBFloat16(value));
    EXPECT_EQ(finite, bits == 0x7f7f7fffu);
    EXPECT_EQ(GetParam()(TensorOf(c, std::vector<float>{value})), finite);
    EXPECT_EQ(GetParam()(TensorOf(c, std::vector<float>{-value})), finite);
  }
}

TEST_P(AllFiniteTest, ReadsBf16) {
  const Case c = {2, 3, 1, false};
  std::vector<uint16_t> values = {0, 0x8000, 0x7f7f, 0xff7f, 0x3f80, 1};
  EXPECT_TRUE(GetParam()(TensorOf(c, values)));
  for (const uint16_t bad : {0x7f80, 0xff80, 0x7fc0, 0xffff}) {
    values[4] = bad;
    EXPECT_FALSE(GetParam()(TensorOf(c, values)));
  }
}

}  // namespace
}  // namespace qvg::kernels
