// Random layouts, specs and histories against a naive model that keeps every
// chunk: attention sees the right tokens in order, bytes add up, the bound on
// bytes holds, and an append that fails changes nothing.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cache/kv_cache.h"
#include "gtest/gtest.h"
#include "tests/cache/chunk_data.h"
#include "tests/cache/fake_codec.h"
#include "tests/cache/place.h"

namespace qvg {
namespace {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  int Int(int low, int high) {  // both included
    return low + static_cast<int>(engine_() % (high - low + 1));
  }

 private:
  std::mt19937_64 engine_;
};

KvLayout RandomLayout(Random& random) {
  KvLayout layout;
  layout.heads = random.Int(1, 3);
  layout.head_dim = 8 * random.Int(1, 4);
  layout.tokens_per_chunk = random.Int(1, 20);
  const int layers = random.Int(1, 5);
  for (int i = 0; i < layers; ++i) {
    const int window = random.Int(0, 1) ? 0 : random.Int(1, 4);
    layout.window_chunks.push_back(window);
  }
  return layout;
}

CacheSpec RandomSpec(Random& random) {
  CacheSpec spec;
  spec.span_chunks = random.Int(1, 4);
  spec.tail_chunks = random.Int(0, 5);
  spec.sink_chunks = random.Int(0, 3);
  spec.unpacked = random.Int(0, 1) ? ElementType::kBf16 : ElementType::kF32;
  return spec;
}

class RandomHistory {
 public:
  RandomHistory(uint64_t seed, int max_chunks, kernels::MemoryKind kind)
      : random_(seed),
        place_(kind),
        max_chunks_(max_chunks),
        layout_(RandomLayout(random_)),
        spec_(RandomSpec(random_)),
        codec_(random_.Int(0, 9000)),
        max_bytes_(BoundaryState::MaxBytes(layout_, spec_, 0) +
                   KvCache::MaxSpanBytes(layout_, spec_, codec_, max_chunks)),
        pool_(*MemoryPool::Create(std::max<int64_t>(max_bytes_, 4096),
                                  place_.space())),
        reservation_(*pool_->Reserve(max_bytes_)),
        host_pool_(*MemoryPool::Create(4096)),
        host_(*host_pool_->Reserve(4096)),
        boundary_(*BoundaryState::Create(layout_, spec_, kModelBytes,
                                         reservation_, host_)),
        cache_(layout_, spec_, &codec_, &reservation_, &boundary_),
        workspace_(kind) {}

  void Step() {
    const int64_t before = reservation_.used_bytes();
    const bool fails = random_.Int(0, 3) == 0;
    if (fails) codec_.FailWith(absl::InternalError("injected"));
    const ChunkData data(layout_, cache_.chunks());
    const int64_t chunks = cache_.chunks();
    const size_t spans = cache_.spans().size();
    const absl::Status status = cache_.Append(
        place_.Here(data.segments()), PrefixKey().Next(std::to_string(chunks)),
        place_.executor(), workspace_);
    codec_.FailWith(absl::OkStatus());
    ASSERT_TRUE(status.ok() || fails) << status;
    if (!status.ok()) {
      EXPECT_EQ(cache_.chunks(), chunks);
      EXPECT_EQ(cache_.spans().size(), spans);
      EXPECT_EQ(reservation_.used_bytes(), before);
    }
    Check();
  }

  void Check() {
    for (int layer = 0; layer < layout_.layers(); ++layer) CheckLayer(layer);
    CheckSpans();
    CheckBytes();
  }

  bool done() const { return cache_.chunks() == max_chunks_; }

 private:
  void CheckLayer(int layer) {
    std::vector<kernels::KvSegment> segments;
    cache_.AppendSegments(layer, &segments);
    std::vector<float> keys, values;
    for (const kernels::KvSegment& segment : segments) {
      Append(place_.Stored(segment.keys), &keys);
      Append(place_.Stored(segment.values), &values);
    }
    std::vector<float> want_keys, want_values;
    const int window = layout_.window_chunks[layer];
    const int64_t chunks = cache_.chunks();
    const int64_t first =
        window == 0 ? 0 : std::max<int64_t>(0, chunks - window);
    for (int64_t chunk = first; chunk < chunks; ++chunk) {
      const ChunkData data(layout_, chunk);
      Append(Values(data.segments()[layer].keys), &want_keys);
      Append(Values(data.segments()[layer].values), &want_values);
    }
    EXPECT_EQ(keys, want_keys);
    EXPECT_EQ(values, want_values);
  }

  // Rounded to BF16, so that packed (by the fake, as BF16) and unpacked tokens
  // compare equal.
  static void Append(const std::vector<float>& from, std::vector<float>* to) {
    for (const float value : from) {
      to->push_back(kernels::RoundToBFloat16(value));
    }
  }

  void CheckSpans() const {
    int64_t next = 0;
    for (const auto& span : cache_.spans()) {
      EXPECT_EQ(span->first_chunk, next);
      EXPECT_EQ(span->packed, next >= spec_.sink_chunks);
      EXPECT_EQ(span->chunks, span->packed ? spec_.span_chunks : 1);
      next += span->chunks;
      EXPECT_EQ(span->key, PrefixKey().Next(std::to_string(next - 1)));
    }
    const bool global = std::count(layout_.window_chunks.begin(),
                                   layout_.window_chunks.end(), 0) > 0;
    const int64_t tail = static_cast<int64_t>(boundary_.tail_keys.size());
    EXPECT_EQ(next + tail, global ? cache_.chunks() : 0);
    EXPECT_LT(tail, spec_.tail_chunks + spec_.span_chunks);
    if (next > spec_.sink_chunks) {
      EXPECT_GE(tail, spec_.tail_chunks);
    }
  }

  void CheckBytes() const {
    EXPECT_LE(reservation_.committed_bytes(), max_bytes_);
    const HistoryBytes bytes = cache_.bytes();
    EXPECT_GE(bytes.packed + bytes.unpacked, reservation_.used_bytes());
    EXPECT_EQ(host_.used_bytes(), kModelBytes);
    EXPECT_LE(bytes.packed + bytes.unpacked, reservation_.committed_bytes());
  }

  static constexpr int64_t kModelBytes = 40;

  Random random_;
  Place place_;
  int max_chunks_;
  KvLayout layout_;
  CacheSpec spec_;
  FakeCodec codec_;
  int64_t max_bytes_;
  std::unique_ptr<MemoryPool> pool_;
  Reservation reservation_;
  std::unique_ptr<MemoryPool> host_pool_;
  Reservation host_;
  BoundaryState boundary_;
  KvCache cache_;
  Workspace workspace_;
};

class KvCachePropertyTest : public testing::TestWithParam<kernels::MemoryKind> {
};

INSTANTIATE_TEST_SUITE_P(Places, KvCachePropertyTest, AllPlaces(), PlaceName);

TEST_P(KvCachePropertyTest, AgreesWithTheNaiveModel) {
  QVG_SKIP_WITHOUT(GetParam());
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    RandomHistory run(seed, 1 + static_cast<int>(seed % 17), GetParam());
    while (!run.done()) {
      run.Step();
      ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
    }
  }
}

// One chunk more than was reserved for is refused sooner or later, and then
// changes nothing.
TEST(KvCacheFullTest, ExhaustedReservationChangesNothing) {
  KvLayout layout;
  layout.heads = 2;
  layout.head_dim = 64;
  layout.tokens_per_chunk = 16;
  layout.window_chunks = {1, 0};
  CacheSpec spec;
  spec.span_chunks = 2;
  spec.tail_chunks = 1;
  spec.sink_chunks = 1;
  const FakeCodec codec;
  const int64_t max_bytes = BoundaryState::MaxBytes(layout, spec, 0) +
                            KvCache::MaxSpanBytes(layout, spec, codec, 6);
  const auto pool = *MemoryPool::Create(max_bytes);
  Reservation reservation = *pool->Reserve(max_bytes);
  BoundaryState boundary =
      *BoundaryState::Create(layout, spec, 0, reservation, reservation);
  KvCache cache(layout, spec, &codec, &reservation, &boundary);
  kernels::SerialFor serial;
  Workspace workspace;
  absl::Status status;
  while (status.ok()) {
    ASSERT_LT(cache.chunks(), 20);
    const ChunkData data(layout, cache.chunks());
    status = cache.Append(data.segments(), PrefixKey(), serial, workspace);
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GE(cache.chunks(), 6);
  const int64_t chunks = cache.chunks();
  std::vector<kernels::KvSegment> window;
  cache.AppendSegments(0, &window);
  ASSERT_EQ(window.size(), 1u);
  const ChunkData last(layout, chunks - 1);
  for (int64_t d = 0; d < layout.head_dim; ++d) {
    EXPECT_EQ(
        ValueAt(window[0].keys, 0, 0, d),
        kernels::RoundToBFloat16(ValueAt(last.segments()[0].keys, 0, 0, d)));
  }
}

}  // namespace
}  // namespace qvg
