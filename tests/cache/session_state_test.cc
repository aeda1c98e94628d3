#include "cache/session_state.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "tests/cache/chunk_data.h"
#include "tests/cache/fake_codec.h"

namespace qvg {
namespace {

KvLayout Layout() {
  KvLayout layout;
  layout.heads = 2;
  layout.head_dim = 64;
  layout.tokens_per_chunk = 16;
  layout.window_chunks = {2, 0, 2, 0};
  return layout;
}

CacheSpec Spec() {
  CacheSpec spec;
  spec.span_chunks = 1;
  spec.tail_chunks = 1;
  spec.sink_chunks = 0;
  return spec;
}

PrefixKey Root() { return PrefixKey::Root("model", "spec", 1, 3, ""); }

class SessionStateTest : public testing::Test {
 protected:
  static constexpr int64_t kModelBytes = 1000;
  static constexpr int64_t kChunks = 10;

  SessionStateTest()
      : max_bytes_(SessionState::MaxBytes(Layout(), Spec(), FakeCodec(),
                                          kModelBytes, kChunks)),
        pool_(*MemoryPool::Create(max_bytes_)) {}

  absl::StatusOr<std::unique_ptr<SessionState>> Create(int64_t reserve) {
    return SessionState::Create(Layout(), Spec(), std::make_unique<FakeCodec>(),
                                kModelBytes, Root(), *pool_->Reserve(reserve));
  }

  void Advance(SessionState& state) {
    const ChunkData data(Layout(), state.chunks());
    const PrefixKey next = state.prefix.Next("w");
    ASSERT_TRUE(
        state.cache->Append(data.segments(), next, serial_, workspace_).ok());
    state.prefix = next;
  }

  int64_t max_bytes_;
  std::unique_ptr<MemoryPool> pool_;
  kernels::SerialFor serial_;
  Workspace workspace_;
};

TEST_F(SessionStateTest, StartsAtItsRoot) {
  const std::unique_ptr<SessionState> state = *Create(max_bytes_);
  EXPECT_EQ(state->chunks(), 0);
  EXPECT_EQ(state->prefix, Root());
  ASSERT_EQ(state->boundary.model_bytes.size(), kModelBytes);
  const absl::Span<const uint8_t> bytes = state->boundary.model_bytes.bytes();
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), 0), kModelBytes);
}

TEST_F(SessionStateTest, RunsWithinItsBoundAndGivesAllBack) {
  std::unique_ptr<SessionState> state = *Create(max_bytes_);
  for (int i = 0; i < kChunks; ++i) Advance(*state);
  EXPECT_EQ(state->chunks(), kChunks);
  EXPECT_LE(state->reservation.committed_bytes(), max_bytes_);
  state.reset();
  EXPECT_EQ(pool_->usage().reserved, 0);
  EXPECT_EQ(pool_->usage().wasted, 0);
}

TEST_F(SessionStateTest, RatioCountsEverythingThatIsHeld) {
  const std::unique_ptr<SessionState> state = *Create(max_bytes_);
  Advance(*state);
  Advance(*state);
  Advance(*state);
  const HistoryBytes bytes = state->cache->bytes();
  const double tokens =
      static_cast<double>(bytes.packed_bf16 + bytes.unpacked_bf16);
  // Two spans, a tail of one chunk and windows of two, of 16 KiB a chunk.
  EXPECT_EQ(tokens, (2 + 1 + 2) * 16384);
  EXPECT_DOUBLE_EQ(
      state->session_ratio(),
      tokens / static_cast<double>(state->reservation.committed_bytes()));
  EXPECT_LT(state->session_ratio(), 1);
}

TEST_F(SessionStateTest, SmallReservationIsRefusedAndLeavesNothing) {
  for (const int64_t reserve : {int64_t{0}, int64_t{4096}, int64_t{36864}}) {
    EXPECT_EQ(Create(reserve).status().code(),
              absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(pool_->usage().reserved, 0);
  }
}

}  // namespace
}  // namespace qvg
