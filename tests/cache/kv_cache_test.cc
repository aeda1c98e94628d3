#include "cache/kv_cache.h"

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/thread_pool.h"
#include "tests/cache/chunk_data.h"
#include "tests/cache/fake_codec.h"
#include "tests/cache/place.h"

namespace qvg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kPool = 4 << 20;

KvLayout TwoKinds() {
  KvLayout layout;
  layout.heads = 2;
  layout.head_dim = 8;
  layout.tokens_per_chunk = 3;
  layout.window_chunks = {2, 0, 0};
  return layout;
}

CacheSpec Spec(int span_chunks, int tail_chunks, int sink_chunks) {
  CacheSpec spec;
  spec.span_chunks = span_chunks;
  spec.tail_chunks = tail_chunks;
  spec.sink_chunks = sink_chunks;
  return spec;
}

// A history with all that it needs.
struct Bench {
  explicit Bench(kernels::MemoryKind kind, const CacheSpec& spec,
                 const KvLayout& kv = TwoKinds(), int64_t extra = 0)
      : place(kind),
        layout(kv),
        codec(extra),
        pool(*MemoryPool::Create(kPool, place.space())),
        reservation(*pool->Reserve(kPool)),
        boundary(
            *BoundaryState::Create(layout, spec, 0, reservation, reservation)),
        cache(layout, spec, &codec, &reservation, &boundary),
        workspace(kind) {}

  static PrefixKey KeyAfter(int64_t chunk) {
    return PrefixKey().Next(std::to_string(chunk));
  }

  absl::Status Append(const ChunkData& data) {
    return cache.Append(place.Here(data.segments()), KeyAfter(cache.chunks()),
                        place.executor(), workspace);
  }

  void AppendChunks(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(Append(ChunkData(layout, cache.chunks())).ok());
    }
  }

  std::vector<int64_t> SegmentTokens(int layer) const {
    std::vector<kernels::KvSegment> segments;
    cache.AppendSegments(layer, &segments);
    std::vector<int64_t> tokens;
    for (const kernels::KvSegment& s : segments)
      tokens.push_back(s.keys.tokens);
    return tokens;
  }

  Place place;
  KvLayout layout;
  FakeCodec codec;
  std::unique_ptr<MemoryPool> pool;
  Reservation reservation;
  BoundaryState boundary;
  KvCache cache;
  Workspace workspace;
};

class KvCacheTest : public testing::TestWithParam<kernels::MemoryKind> {
 protected:
  void SetUp() override { QVG_SKIP_WITHOUT(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Places, KvCacheTest, AllPlaces(), PlaceName);

TEST_P(KvCacheTest, EmptyHistoryHasNoSegments) {
  const Bench bench(GetParam(), Spec(1, 0, 0));
  EXPECT_THAT(bench.SegmentTokens(0), ElementsAre());
  EXPECT_THAT(bench.SegmentTokens(1), ElementsAre());
  EXPECT_EQ(bench.cache.bytes().packed_span_ratio(), 0);
}

TEST_P(KvCacheTest, WithoutTailEveryChunkIsASpanAtOnce) {
  Bench bench(GetParam(), Spec(1, 0, 0));
  bench.AppendChunks(3);
  ASSERT_EQ(bench.cache.spans().size(), 3u);
  EXPECT_THAT(bench.SegmentTokens(1), ElementsAre(3, 3, 3));
  EXPECT_EQ(bench.boundary.tail.buffer().size(), 0);
  for (int i = 0; i < 3; ++i) {
    const KvSpan& span = *bench.cache.spans()[i];
    EXPECT_EQ(span.key, Bench::KeyAfter(i));
    EXPECT_EQ(span.first_chunk, i);
    EXPECT_EQ(span.first_token(), 3 * i);
    EXPECT_EQ(span.shape.layers, 2);
    EXPECT_EQ(FakeCodec::SeedOf(span.shape, bench.place.Fetch(span.buffer)),
              Bench::KeyAfter(i).Derive("kmeans", 0));
  }
}

TEST_P(KvCacheTest, ChunksWaitUntilASpanIsWhole) {
  Bench bench(GetParam(), Spec(3, 0, 0));
  bench.AppendChunks(2);
  EXPECT_EQ(bench.cache.spans().size(), 0u);
  EXPECT_THAT(bench.SegmentTokens(1), ElementsAre(6));
  bench.AppendChunks(1);
  ASSERT_EQ(bench.cache.spans().size(), 1u);
  EXPECT_EQ(bench.cache.spans()[0]->key, Bench::KeyAfter(2));
  EXPECT_THAT(bench.SegmentTokens(1), ElementsAre(9));
  bench.AppendChunks(4);
  EXPECT_THAT(bench.SegmentTokens(1), ElementsAre(9, 9, 3));
}

TEST_P(KvCacheTest, TailStaysUnpacked) {
  Bench bench(GetParam(), Spec(1, 2, 0));
  bench.AppendChunks(5);
  ASSERT_EQ(bench.cache.spans().size(), 3u);
  // The span of chunk 2 was packed by the append of chunk 4, under the name
  // that it has with any r.
  EXPECT_EQ(bench.cache.spans()[2]->key, Bench::KeyAfter(2));
  EXPECT_EQ(bench.boundary.tail_keys.size(), 2u);
  EXPECT_EQ(bench.boundary.tail.slots(), 2);
}

TEST_P(KvCacheTest, TailAndSpansOfSeveralChunks) {
  Bench bench(GetParam(), Spec(2, 1, 0));
  bench.AppendChunks(2);
  EXPECT_EQ(bench.cache.spans().size(), 0u);
  bench.AppendChunks(1);
  EXPECT_EQ(bench.cache.spans().size(), 1u);
  EXPECT_EQ(bench.cache.spans()[0]->key, Bench::KeyAfter(1));
  EXPECT_EQ(bench.boundary.tail_keys.size(), 1u);
}

TEST_P(KvCacheTest, SinkIsNeverPacked) {
  Bench bench(GetParam(), Spec(2, 0, 1));
  bench.AppendChunks(3);
  ASSERT_EQ(bench.cache.spans().size(), 2u);
  EXPECT_FALSE(bench.cache.spans()[0]->packed);
  EXPECT_TRUE(bench.cache.spans()[1]->packed);
  EXPECT_EQ(bench.cache.spans()[1]->first_chunk, 1);
  EXPECT_THAT(bench.SegmentTokens(1), ElementsAre(3, 6));
}

TEST_P(KvCacheTest, WindowsSeeTheirChunksOnly) {
  Bench bench(GetParam(), Spec(1, 0, 0));
  bench.AppendChunks(1);
  EXPECT_THAT(bench.SegmentTokens(0), ElementsAre(3));
  bench.AppendChunks(1);
  EXPECT_THAT(bench.SegmentTokens(0), ElementsAre(6));
  bench.AppendChunks(1);
  EXPECT_THAT(bench.SegmentTokens(0), ElementsAre(3, 3));
}

TEST_P(KvCacheTest, UnpackedF32KeepsEveryBit) {
  CacheSpec spec = Spec(1, 1, 1);
  spec.unpacked = ElementType::kF32;
  Bench bench(GetParam(), spec);
  bench.AppendChunks(2);
  std::vector<kernels::KvSegment> segments;
  bench.cache.AppendSegments(1, &segments);
  ASSERT_EQ(segments.size(), 2u);
  for (int chunk = 0; chunk < 2; ++chunk) {
    const ChunkData data(bench.layout, chunk);
    EXPECT_EQ(bench.place.Stored(segments[chunk].keys),
              Values(data.segments()[1].keys));
  }
}

TEST_P(KvCacheTest, ModelWithoutLayersCountsItsChunks) {
  KvLayout none;
  Bench bench(GetParam(), Spec(1, 1, 1), none);
  bench.AppendChunks(4);
  EXPECT_EQ(bench.cache.chunks(), 4);
  EXPECT_EQ(bench.reservation.used_bytes(), 0);
}

TEST_P(KvCacheTest, ModelOfWindowsAloneHasNoSpans) {
  KvLayout layout = TwoKinds();
  layout.window_chunks = {1, 2};
  Bench bench(GetParam(), Spec(2, 1, 1), layout);
  bench.AppendChunks(5);
  EXPECT_EQ(bench.cache.spans().size(), 0u);
  EXPECT_EQ(bench.boundary.tail.buffer().size(), 0);
  EXPECT_EQ(KvCache::MaxSpanBytes(layout, Spec(2, 1, 1), bench.codec, 5), 0);
}

TEST_P(KvCacheTest, BytesCountRoundingAndBf16) {
  // One span: 2 layers of 3 tokens, 2 heads of 8, K and V: 384 bytes of BF16;
  // the fake adds 8 and then 100, and a granule has 64.
  Bench bench(GetParam(), Spec(1, 1, 1), TwoKinds(), 100);
  bench.AppendChunks(4);
  const HistoryBytes bytes = bench.cache.bytes();
  EXPECT_EQ(bytes.packed, 2 * 512);
  EXPECT_EQ(bytes.packed_bf16, 2 * 384);
  EXPECT_DOUBLE_EQ(bytes.packed_span_ratio(), 384.0 / 512);
  // A sink span and the tail of one chunk, and a window of two chunks.
  EXPECT_EQ(bytes.unpacked, 384 + 384 + 384);
  EXPECT_EQ(bytes.unpacked_bf16, 384 + 384 + 384);
  EXPECT_EQ(bench.reservation.used_bytes(BytesKind::kSpan), 2 * 492 + 384);
  EXPECT_EQ(bench.reservation.used_bytes(BytesKind::kBoundary), 384 + 384);
}

TEST_P(KvCacheTest, UnfilledWindowsCountAsHeld) {
  Bench bench(GetParam(), Spec(1, 0, 0));
  bench.AppendChunks(1);
  EXPECT_EQ(bench.cache.bytes().unpacked, 384);
  EXPECT_EQ(bench.cache.bytes().unpacked_bf16, 192);
}

// Wherever it is, a history has the bytes that one thread gives it.
TEST_P(KvCacheTest, PlaceAndThreadsDoNotChangeTheBytes) {
  Bench one(kernels::MemoryKind::kHost, Spec(2, 1, 1));
  Bench other(GetParam(), Spec(2, 1, 1));
  kernels::ThreadPool threads(3);
  const kernels::Executor executor =
      other.place.on_device() ? other.place.executor() : threads;
  for (int i = 0; i < 8; ++i) {
    const ChunkData data(one.layout, i);
    ASSERT_TRUE(one.Append(data).ok());
    ASSERT_TRUE(other.cache
                    .Append(other.place.Here(data.segments()),
                            Bench::KeyAfter(i), executor, other.workspace)
                    .ok());
  }
  ASSERT_EQ(one.cache.spans().size(), other.cache.spans().size());
  for (size_t i = 0; i < one.cache.spans().size(); ++i) {
    EXPECT_EQ(one.place.Fetch(one.cache.spans()[i]->buffer),
              other.place.Fetch(other.cache.spans()[i]->buffer));
  }
  EXPECT_EQ(one.place.Fetch(one.boundary.windows[0].buffer()),
            other.place.Fetch(other.boundary.windows[0].buffer()));
}

TEST(KvCachePlaceTest, ThePlacesOfMemoryAndWorkMustAgree) {
  Bench bench(kernels::MemoryKind::kHost, Spec(1, 0, 0));
  const ChunkData data(bench.layout, 0);
  Workspace elsewhere(kernels::MemoryKind::kDevice);
  const kernels::Executor device(nullptr);
  EXPECT_EQ(bench.cache
                .Append(data.segments(), PrefixKey(), bench.place.executor(),
                        elsewhere)
                .code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(
      bench.cache.Append(data.segments(), PrefixKey(), device, bench.workspace)
          .code(),
      absl::StatusCode::kInternal);
  EXPECT_EQ(bench.cache.chunks(), 0);
}

class KvCacheBadInputTest : public testing::TestWithParam<kernels::MemoryKind> {
 protected:
  void SetUp() override {
    QVG_SKIP_WITHOUT(GetParam());
    bench_.emplace(GetParam(), Spec(1, 1, 0));
    bench_->AppendChunks(3);
  }

  void ExpectRefused(const std::vector<kernels::KvSegment>& layers,
                     const std::string& message) {
    const absl::Status status = bench_->cache.Append(
        layers, PrefixKey(), bench_->place.executor(), bench_->workspace);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
    EXPECT_EQ(bench_->cache.chunks(), 3);
    EXPECT_EQ(bench_->cache.spans().size(), 2u);
    EXPECT_EQ(bench_->boundary.tail_keys.size(), 1u);
  }

  std::optional<Bench> bench_;
  ChunkData data_{TwoKinds(), 3};
};

INSTANTIATE_TEST_SUITE_P(Places, KvCacheBadInputTest, AllPlaces(), PlaceName);

TEST_P(KvCacheBadInputTest, WrongNumberOfLayers) {
  std::vector<kernels::KvSegment> layers = data_.segments();
  layers.pop_back();
  ExpectRefused(layers, "layers: 2 given, the model has 3");
}

TEST_P(KvCacheBadInputTest, WrongShapes) {
  for (int field = 0; field < 5; ++field) {
    std::vector<kernels::KvSegment> layers = data_.segments();
    kernels::PackedTensor& keys = layers[1].keys;
    if (field == 0) keys.tokens = 4;
    if (field == 1) keys.heads = 1;
    if (field == 2) keys.codec.head_dim = 16;
    if (field == 3) keys.codec.encoding = kernels::Encoding::kProduct;
    if (field == 4) keys.values = nullptr;
    ExpectRefused(layers, "layers[1].keys: ");
  }
}

TEST_P(KvCacheBadInputTest, NotFiniteInAnyLayer) {
  for (int layer = 0; layer < 3; ++layer) {
    ChunkData bad(bench_->layout, 3);
    bad.values(layer, 1)[5] = std::numeric_limits<float>::quiet_NaN();
    ExpectRefused(
        bench_->place.Here(bad.segments()),
        "layers[" + std::to_string(layer) + "].values: NaN or infinity");
  }
}

TEST_P(KvCacheBadInputTest, HistoryGoesOnAfterARefusal) {
  ChunkData bad(bench_->layout, 3);
  bad.values(0, 0)[0] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(bench_->Append(bad).ok());
  bench_->AppendChunks(1);
  EXPECT_THAT(bench_->SegmentTokens(1), ElementsAre(3, 3, 3, 3));
}

}  // namespace
}  // namespace qvg
