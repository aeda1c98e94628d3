#include "server/session/outbox.h"

#include "gtest/gtest.h"

namespace qvg {
namespace {

class OutboxTest : public ::testing::Test {
 protected:
  OutboxTest()
      : pool_(*MemoryPool::Create(8 << 20)),
        reservation_(*pool_->Reserve(8 << 20)) {}

  OutboxUnit Unit(int64_t bytes, int frame_index = 0, bool init = false) {
    OutboxUnit unit;
    unit.data = *reservation_.Allocate(BytesKind::kMedia, bytes);
    unit.frame_index = frame_index;
    unit.init_segment = init;
    return unit;
  }

  OutboxChunk Chunk(int64_t index, int64_t bytes) {
    OutboxChunk chunk;
    chunk.report.chunk = index;
    chunk.units.push_back(Unit(bytes));
    return chunk;
  }

  MediaPart NextPart() {
    const auto message = outbox_.Front();
    EXPECT_TRUE(message && std::holds_alternative<MediaPart>(*message));
    return message ? std::get<MediaPart>(*message) : MediaPart();
  }

  std::unique_ptr<MemoryPool> pool_;
  Reservation reservation_;
  Outbox outbox_;
};

TEST_F(OutboxTest, IsEmptyAtFirst) { EXPECT_FALSE(outbox_.Front()); }

TEST_F(OutboxTest, FrontStaysUntilPop) {
  ASSERT_TRUE(outbox_.PushReply(Pong{1}).ok());
  ASSERT_TRUE(outbox_.PushReply(Pong{2}).ok());
  EXPECT_EQ(std::get<Pong>(*outbox_.Front()).nonce, 1);
  EXPECT_EQ(std::get<Pong>(*outbox_.Front()).nonce, 1);
  outbox_.Pop();
  EXPECT_EQ(std::get<Pong>(*outbox_.Front()).nonce, 2);
}

TEST_F(OutboxTest, LargeMediaGoInPartsOfAtMost256KiB) {
  outbox_.PushChunk(Chunk(7, 2 * kMaxPartBytes + 1));
  MediaPart part = NextPart();
  EXPECT_EQ(part.chunk, 7);
  EXPECT_EQ(part.part, 0);
  EXPECT_EQ(part.data.size(), kMaxPartBytes);
  EXPECT_FALSE(part.last);
  EXPECT_FALSE(outbox_.Pop().chunk);
  EXPECT_EQ(NextPart().part, 1);
  outbox_.Pop();
  part = NextPart();
  EXPECT_EQ(part.part, 2);
  EXPECT_EQ(part.data.size(), 1);
  EXPECT_TRUE(part.last);
  outbox_.Pop();
  EXPECT_TRUE(std::holds_alternative<ChunkReport>(*outbox_.Front()));
  const Outbox::Departure departure = outbox_.Pop();
  EXPECT_TRUE(departure.chunk);
  EXPECT_EQ(departure.bytes, 2 * kMaxPartBytes + 1);
  EXPECT_FALSE(outbox_.Front());
}

TEST_F(OutboxTest, AnExactMultipleHasNoEmptyPart) {
  outbox_.PushChunk(Chunk(0, kMaxPartBytes));
  EXPECT_TRUE(NextPart().last);
  outbox_.Pop();
  EXPECT_TRUE(std::holds_alternative<ChunkReport>(*outbox_.Front()));
}

TEST_F(OutboxTest, TheInitSegmentCountsItsOwnParts) {
  OutboxChunk chunk;
  chunk.units.push_back(Unit(10, 0, true));
  chunk.units.push_back(Unit(20, 0));
  chunk.units.push_back(Unit(30, 1));
  outbox_.PushChunk(std::move(chunk));
  MediaPart part = NextPart();
  EXPECT_TRUE(part.init_segment && part.last && part.part == 0);
  outbox_.Pop();
  part = NextPart();
  EXPECT_FALSE(part.init_segment || part.last);
  EXPECT_EQ(part.part, 0);
  outbox_.Pop();
  part = NextPart();
  EXPECT_TRUE(part.last);
  EXPECT_EQ(part.part, 1);
  EXPECT_EQ(part.frame_index, 1);
}

TEST_F(OutboxTest, RepliesOvertakeMediaAndTheEndIsLast) {
  outbox_.PushEnd(Ended{});
  outbox_.PushChunk(Chunk(0, 1));
  EXPECT_TRUE(std::holds_alternative<MediaPart>(*outbox_.Front()));
  outbox_.Pop();
  ASSERT_TRUE(outbox_.PushReply(Pong{1}).ok());
  EXPECT_TRUE(std::holds_alternative<Pong>(*outbox_.Front()));
  outbox_.Pop();
  EXPECT_TRUE(std::holds_alternative<ChunkReport>(*outbox_.Front()));
  outbox_.Pop();
  EXPECT_TRUE(std::holds_alternative<Ended>(*outbox_.Front()));
  outbox_.Pop();
  EXPECT_FALSE(outbox_.Front());
}

TEST_F(OutboxTest, RepliesAreBounded) {
  for (size_t i = 0; i < Outbox::kMaxReplies; ++i) {
    ASSERT_TRUE(outbox_.PushReply(Pong{i}).ok());
  }
  EXPECT_EQ(outbox_.PushReply(Pong{0}).code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(OutboxTest, ClearGivesMemoryBackButForWhatIsBeingWritten) {
  outbox_.PushChunk(Chunk(0, 1000));
  outbox_.PushChunk(Chunk(1, 1000));
  const MediaPart part = NextPart();
  outbox_.Clear();
  EXPECT_EQ(reservation_.used_bytes(), 1000) << "part.data is in use";
  EXPECT_EQ(part.data.size(), 1000);
  outbox_.Pop();
  EXPECT_EQ(reservation_.used_bytes(), 0);
  EXPECT_FALSE(outbox_.Front());
}

}  // namespace
}  // namespace qvg
