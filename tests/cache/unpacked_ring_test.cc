#include "cache/unpacked_ring.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "tests/cache/chunk_data.h"
#include "tests/cache/place.h"

namespace qvg {
namespace {

KvLayout SmallLayout() {
  KvLayout layout;
  layout.heads = 2;
  layout.head_dim = 8;
  layout.tokens_per_chunk = 3;
  layout.window_chunks = {4, 0, 4};
  return layout;
}

class UnpackedRingTest : public testing::TestWithParam<
                             std::tuple<ElementType, kernels::MemoryKind>> {
 protected:
  void SetUp() override {
    QVG_SKIP_WITHOUT(std::get<1>(GetParam()));
    place_.emplace(std::get<1>(GetParam()));
    pool_ = *MemoryPool::Create(1 << 20, place_->space());
    reservation_ = *pool_->Reserve(1 << 20);
  }

  static ElementType type() { return std::get<0>(GetParam()); }

  UnpackedRing MakeRing(int slots) {
    return *UnpackedRing::Create(layout_, group_, slots, type(), reservation_);
  }

  // The chunks now in `ring` whose numbers are [first, first + count) are
  // those of the same seeds.
  void ExpectChunks(const UnpackedRing& ring, int64_t first, int64_t count) {
    for (int index = 0; index < 2; ++index) {
      std::vector<kernels::KvSegment> segments;
      ring.AppendSegments(index, first, count, &segments);
      std::vector<float> keys, values, want_keys, want_values;
      for (const kernels::KvSegment& segment : segments) {
        Append(place_->Stored(segment.keys), &keys);
        Append(place_->Stored(segment.values), &values);
      }
      for (int64_t chunk = first; chunk < first + count; ++chunk) {
        const ChunkData data(layout_, chunk);
        const kernels::KvSegment& layer = data.segments()[group_.layers[index]];
        Append(Rounded(Values(layer.keys)), &want_keys);
        Append(Rounded(Values(layer.values)), &want_values);
      }
      EXPECT_EQ(keys, want_keys);
      EXPECT_EQ(values, want_values);
    }
  }

  static void Append(const std::vector<float>& from, std::vector<float>* to) {
    to->insert(to->end(), from.begin(), from.end());
  }
  static std::vector<float> Rounded(std::vector<float> values) {
    if (type() == ElementType::kBf16) {
      for (float& value : values) value = kernels::RoundToBFloat16(value);
    }
    return values;
  }

  const KvLayout layout_ = SmallLayout();
  const LayerGroup group_ = {4, {0, 2}};
  std::optional<Place> place_;
  std::unique_ptr<MemoryPool> pool_;
  Reservation reservation_;
};

TEST_P(UnpackedRingTest, HoldsTheNewestChunks) {
  UnpackedRing ring = MakeRing(4);
  for (int64_t chunk = 0; chunk < 11; ++chunk) {
    ASSERT_TRUE(ring.Write(chunk,
                           place_->Here(ChunkData(layout_, chunk).segments()),
                           place_->executor())
                    .ok());
    const int64_t count = std::min<int64_t>(chunk + 1, 4);
    ExpectChunks(ring, chunk + 1 - count, count);
  }
}

TEST_P(UnpackedRingTest, SegmentsAreAsFewAsCanBe) {
  UnpackedRing ring = MakeRing(4);
  for (int64_t first = 0; first < 8; ++first) {
    for (int64_t count = 0; count <= 4; ++count) {
      std::vector<kernels::KvSegment> segments;
      ring.AppendSegments(0, first, count, &segments);
      const bool wraps = first % 4 + count > 4;
      EXPECT_EQ(segments.size(), count == 0 ? 0u : wraps ? 2u : 1u);
    }
  }
}

TEST_P(UnpackedRingTest, TakesItsBytesFromTheReservation) {
  const int64_t element = type() == ElementType::kF32 ? 4 : 2;
  const int64_t bytes = 2 * 2 * 4 * 3 * 2 * 8 * element;
  EXPECT_EQ(UnpackedRing::Bytes(layout_, group_, 4, type()), bytes);
  {
    const UnpackedRing ring = MakeRing(4);
    EXPECT_EQ(reservation_.used_bytes(BytesKind::kBoundary), bytes);
  }
  EXPECT_EQ(reservation_.used_bytes(), 0);
}

TEST_P(UnpackedRingTest, NoSlotsTakeNoBytes) {
  EXPECT_EQ(MakeRing(0).buffer().size(), 0);
}

TEST_P(UnpackedRingTest, FullReservationIsRefused) {
  Reservation none;
  EXPECT_EQ(
      UnpackedRing::Create(layout_, group_, 4, type(), none).status().code(),
      absl::StatusCode::kResourceExhausted);
}

INSTANTIATE_TEST_SUITE_P(Types, UnpackedRingTest,
                         testing::Combine(testing::Values(ElementType::kBf16,
                                                          ElementType::kF32),
                                          AllPlaces()));

}  // namespace
}  // namespace qvg
