// Histories packed by the codecs of the registry.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cache/codec/opq_tables.h"
#include "cache/codec/registry.h"
#include "cache/session_state.h"
#include "gtest/gtest.h"
#include "kernels/thread_pool.h"
#include "tests/cache/chunk_data.h"
#include "tests/cache/codec/random_opq_tables.h"
#include "tests/cache/place.h"

namespace qvg {
namespace {

constexpr int kChunks = 9;

KvLayout Layout(std::vector<int> windows) {
  KvLayout layout;
  layout.heads = 4;
  layout.head_dim = 64;
  layout.tokens_per_chunk = 128;
  layout.window_chunks = std::move(windows);
  return layout;
}

// A session of one codec in a pool that has exactly its bound.
class PackedSession {
 public:
  PackedSession(kernels::MemoryKind kind, const std::string& spec,
                const KvLayout& layout, int chunks)
      : place_(kind),
        layout_(layout),
        tables_(RandomOpqTables(GlobalLayers(layout), layout.heads,
                                layout.head_dim, 9)),
        spec_(*ResolveCacheSpec(*ParseCacheSpec(spec), layout, tables_.get())),
        codec_(*MakeCodec(spec_, layout, tables_.get())),
        max_bytes_(SessionState::MaxBytes(layout, spec_, *codec_,
                                          place_.on_device() ? 0 : kModelBytes,
                                          chunks)),
        pool_(*MemoryPool::Create(max_bytes_, place_.space())),
        host_pool_(*MemoryPool::Create(kPage)),
        workspace_(kind) {
    if (place_.on_device()) {
      tables_on_device_ = *tables_->OnDevice(place_.space().stream);
    }
    const OpqTables* tables =
        place_.on_device() ? tables_on_device_.get() : tables_.get();
    state_ = *SessionState::Create(
        layout, spec_, *MakeCodec(spec_, layout, tables), kModelBytes,
        PrefixKey::Root("m", spec, 1, 3, ""), *pool_->Reserve(max_bytes_),
        place_.on_device() ? *host_pool_->Reserve(kPage) : Reservation());
  }

  absl::Status Advance() { return Advance(place_.executor()); }

  absl::Status Advance(const kernels::Executor& executor) {
    const ChunkData& data = data_.emplace_back(layout_, state_->chunks());
    state_->prefix = state_->prefix.Next("w");
    return state_->cache->Append(place_.Here(data.segments()), state_->prefix,
                                 executor, workspace_);
  }

  // Energy of what attention reads of `layer` against what went in.
  double RelativeError(int layer) {
    std::vector<kernels::KvSegment> segments;
    state_->cache->AppendSegments(layer, &segments);
    double error = 0, energy = 0;
    int64_t token = 0;
    for (const kernels::KvSegment& segment : segments) {
      AddError(layer, token, segment, &error, &energy);
      token += segment.keys.tokens;
    }
    EXPECT_EQ(token, state_->chunks() * layout_.tokens_per_chunk);
    return error / energy;
  }

  const SessionState& state() const { return *state_; }
  const Codec& codec() const { return *codec_; }
  const MemoryPool& pool() const { return *pool_; }
  const Place& place() const { return place_; }

 private:
  static int GlobalLayers(const KvLayout& layout) {
    return static_cast<int>(std::count(layout.window_chunks.begin(),
                                       layout.window_chunks.end(), 0));
  }

  void AddError(int layer, int64_t first, const kernels::KvSegment& segment,
                double* error, double* energy) {
    for (const int tensor : {0, 1}) {
      const kernels::PackedTensor& stored =
          tensor == 0 ? segment.keys : segment.values;
      const std::vector<float> decoded = place_.Decode(stored);
      for (int64_t t = 0; t < stored.tokens; ++t) {
        const int64_t at = first + t;
        if (at % layout_.tokens_per_chunk % 16 != 0) continue;  // a sample
        const kernels::KvSegment& plain =
            data_[at / layout_.tokens_per_chunk].segments()[layer];
        const kernels::PackedTensor& want =
            tensor == 0 ? plain.keys : plain.values;
        for (int h = 0; h < layout_.heads; ++h) {
          const float* row =
              &decoded[(t * layout_.heads + h) * layout_.head_dim];
          for (int d = 0; d < layout_.head_dim; ++d) {
            const double value =
                ValueAt(want, at % layout_.tokens_per_chunk, h, d);
            *error += (row[d] - value) * (row[d] - value);
            *energy += value * value;
          }
        }
      }
    }
  }

  static constexpr int64_t kModelBytes = 100;
  static constexpr int64_t kPage = MemoryPool::kPageBytes;

  Place place_;
  KvLayout layout_;
  std::unique_ptr<OpqTables> tables_;
  std::unique_ptr<OpqTables> tables_on_device_;
  CacheSpec spec_;
  std::unique_ptr<Codec> codec_;
  int64_t max_bytes_;
  std::unique_ptr<MemoryPool> pool_;
  std::unique_ptr<MemoryPool> host_pool_;
  std::unique_ptr<SessionState> state_;
  Workspace workspace_;
  std::vector<ChunkData> data_;  // that went in
};

struct Case {
  std::string spec;
  double error;
  // Whether a device packs the same bytes as the CPU.
  bool exact = true;
};

void PrintTo(const Case& c, std::ostream* os) { *os << c.spec; }

class KvCacheCodecTest
    : public testing::TestWithParam<std::tuple<Case, kernels::MemoryKind>> {
 protected:
  void SetUp() override { QVG_SKIP_WITHOUT(kind()); }

  static const Case& codec() { return std::get<0>(GetParam()); }
  static kernels::MemoryKind kind() { return std::get<1>(GetParam()); }

  const KvLayout layout_ = Layout({2, 0, 0});
};

TEST_P(KvCacheCodecTest, WhatAttentionReadsIsNearWhatWentIn) {
  PackedSession session(kind(), codec().spec, layout_, kChunks);
  for (int i = 0; i < kChunks; ++i) ASSERT_TRUE(session.Advance().ok());
  EXPECT_LE(session.RelativeError(1), codec().error);
  EXPECT_LE(session.RelativeError(2), codec().error);
}

// The same bytes each time, whatever made them.
TEST_P(KvCacheCodecTest, SpansAreWhatTheirNamesSay) {
  const bool host = kind() == kernels::MemoryKind::kHost;
  PackedSession one(host || codec().exact ? kernels::MemoryKind::kHost : kind(),
                    codec().spec, layout_, kChunks);
  PackedSession other(kind(), codec().spec, layout_, kChunks);
  kernels::ThreadPool threads(3);
  for (int i = 0; i < kChunks; ++i) {
    ASSERT_TRUE(one.Advance().ok());
    ASSERT_TRUE((host ? other.Advance(threads) : other.Advance()).ok());
  }
  const auto& spans = one.state().cache->spans();
  ASSERT_GT(spans.size(), 1u);
  ASSERT_EQ(spans.size(), other.state().cache->spans().size());
  for (size_t i = 0; i < spans.size(); ++i) {
    const KvSpan& span = *other.state().cache->spans()[i];
    EXPECT_EQ(spans[i]->key, span.key);
    EXPECT_EQ(one.place().Fetch(spans[i]->buffer),
              other.place().Fetch(span.buffer));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Codecs, KvCacheCodecTest,
    testing::Combine(
        testing::Values(Case{"bf16", 1e-5}, Case{"bf16:unpacked=f32", 1e-5},
                        Case{"bf16:span_chunks=2,tail_chunks=1", 1e-5},
                        Case{"qvg:span_chunks=2,centroids=16", .5, false},
                        Case{"qvg:bits=4,span_chunks=3,tail_chunks=2,"
                             "sink_chunks=1,centroids=16",
                             .02, false},
                        Case{"rtn", .4}, Case{"rtn:bits=4,span_chunks=4", .02},
                        Case{"opq", .3, false},
                        Case{"opq:sink_chunks=2", .3, false}),
        AllPlaces()));

class KvCacheTinyWorldTest
    : public testing::TestWithParam<kernels::MemoryKind> {
 protected:
  void SetUp() override { QVG_SKIP_WITHOUT(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(Places, KvCacheTinyWorldTest, AllPlaces(), PlaceName);

// Five of TinyWorld's ten layers see the whole history.
TEST_P(KvCacheTinyWorldTest, OpqKeepsItsRatioFromTheFirstSpanOn) {
  const KvLayout layout = Layout({3, 0, 3, 0, 3, 0, 3, 0, 3, 0});
  PackedSession session(GetParam(), "opq", layout, 20);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(session.Advance().ok());
    const HistoryBytes bytes = session.state().cache->bytes();
    EXPECT_EQ(bytes.packed, (i + 1) * 22 * MemoryPool::kPageBytes);
    EXPECT_GE(bytes.packed_span_ratio(), 7.2);
    // Nothing is held that the ratio does not count.
    const PoolUsage usage = session.pool().usage();
    const int64_t model =
        session.place().on_device() ? 0 : MemoryPool::kPageBytes;
    EXPECT_EQ(bytes.packed + bytes.unpacked + model,
              usage.wasted + usage.used[static_cast<int>(BytesKind::kSpan)] +
                  usage.used[static_cast<int>(BytesKind::kBoundary)]);
  }
  EXPECT_GT(session.state().session_ratio(), 3);
}

TEST_P(KvCacheTinyWorldTest, Bf16HasARatioOfOne) {
  const KvLayout layout = Layout({3, 0});
  PackedSession session(GetParam(), "bf16", layout, 6);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(session.Advance().ok());
  EXPECT_EQ(session.state().cache->bytes().packed_span_ratio(), 1);
  EXPECT_GT(session.state().session_ratio(), .99);
}

}  // namespace
}  // namespace qvg
