#include "cache/segments.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cache/chunk_data.h"
#include "tests/cache/place.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;

KvLayout Layout() {
  KvLayout layout;
  layout.heads = 3;
  layout.head_dim = 64;
  layout.tokens_per_chunk = 7;
  layout.window_chunks = {0, 0};
  return layout;
}

TEST(SegmentsTest, NamesAndTensors) {
  const ChunkData data(Layout(), 1);
  EXPECT_EQ(TensorName(3, 0), "layers[3].keys");
  EXPECT_EQ(TensorName(0, 1), "layers[0].values");
  const kernels::KvSegment& segment = data.segments()[1];
  EXPECT_EQ(&TensorOf(segment, 0), &segment.keys);
  EXPECT_EQ(&TensorOf(segment, 1), &segment.values);
}

class CheckFiniteTest : public testing::TestWithParam<kernels::MemoryKind> {};

INSTANTIATE_TEST_SUITE_P(Places, CheckFiniteTest, AllPlaces(), PlaceName);

// Wherever the number is, whatever is wrong with it.
TEST_P(CheckFiniteTest, FindsWhatIsNotFinite) {
  QVG_SKIP_WITHOUT(GetParam());
  Place place(GetParam());
  Workspace workspace(GetParam());
  ChunkData data(Layout(), 1);
  const auto check = [&] {
    return CheckFinite(place.Here(data.segments()), place.executor(),
                       workspace);
  };
  EXPECT_TRUE(check().ok());
  EXPECT_TRUE(CheckFinite({}, place.executor(), workspace).ok());
  for (const float bad :
       {NAN, INFINITY, -INFINITY, std::numeric_limits<float>::max()}) {
    for (int i = 0; i < 4; ++i) {
      for (const int at : {0, 3 * 64 + 7, 3 * 7 * 64 - 1}) {
        float& value = data.values(i / 2, i % 2)[at];
        const float good = std::exchange(value, bad);
        const absl::Status status = check();
        EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
        EXPECT_THAT(std::string(status.message()),
                    HasSubstr(TensorName(i / 2, i % 2) + ": NaN or infinity"));
        value = good;
      }
    }
  }
}

}  // namespace
}  // namespace qvg
