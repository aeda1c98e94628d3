#include "server/session/session.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_video_model.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;
using Kind = WriterStep::Kind;

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() : pool_(*MemoryPool::Create(64 << 20)), session_(Parts()) {}

  SessionParts Parts() {
    SessionParts parts;
    parts.id = 1;
    parts.name = "abc";
    parts.model = &model_.info();
    parts.plan = *PlanSession({}, model_, {});
    parts.cache_memory = *pool_->Reserve(parts.plan.model_bytes.cache);
    parts.own_memory = *pool_->Reserve(parts.plan.own_bytes);
    parts.input_memory = *parts.own_memory.Allocate(
        BytesKind::kInput, InputQueue::Bytes(model_.info(), {}));
    return parts;
  }

  // The next message, taken.
  template <typename T>
  T Take() {
    const WriterStep step = session_.Next();
    EXPECT_EQ(step.kind, Kind::kWrite);
    const T* message = std::get_if<T>(&step.message);
    EXPECT_NE(message, nullptr);
    session_.Written();
    return message == nullptr ? T() : *message;
  }

  OutboxChunk Chunk(int64_t index) {
    OutboxChunk chunk;
    chunk.report.chunk = index;
    chunk.units.resize(1);
    chunk.units[0].data =
        *session_.own_memory().Allocate(BytesKind::kMedia, 100);
    return chunk;
  }

  static ActionRequest Action(uint64_t event_id) {
    ActionRequest action;
    action.event_id = event_id;
    action.controls = {{"forward", 4, {}}};
    return action;
  }

  testing::FakeVideoModel model_;
  std::unique_ptr<MemoryPool> pool_;
  Session session_;
};

TEST_F(SessionTest, StartedComesFirstAndSaysWhatItRunsWith) {
  EXPECT_TRUE(session_.TakeNews());
  EXPECT_FALSE(session_.TakeNews());
  const auto started = Take<Started>();
  EXPECT_EQ(started.session_id, "abc");
  EXPECT_EQ(started.spec.steps, 3);
  EXPECT_EQ(started.reserved_bytes, pool_->usage().reserved);
  EXPECT_EQ(session_.Next().kind, Kind::kWait);
}

TEST_F(SessionTest, ReceiptsComeInTwoPhases) {
  Take<Started>();
  ASSERT_TRUE(session_.AddAction(Action(5)).ok());
  EXPECT_EQ(Take<Receipt>().state, Receipt::State::kReceived);
  session_.TakeInputs(0);
  const auto applied = Take<Receipt>();
  EXPECT_EQ(applied.state, Receipt::State::kApplied);
  EXPECT_EQ(applied.event_id, 5);
  EXPECT_EQ(applied.chunk, 0);
}

TEST_F(SessionTest, EndingRejectsWhatWaitsAndComesAfterTheMedia) {
  Take<Started>();
  ASSERT_TRUE(session_.AddAction(Action(1)).ok());
  Take<Receipt>();
  session_.PushChunk(Chunk(0));
  session_.End(EndReason::kStopped);
  const auto rejected = Take<Receipt>();
  EXPECT_EQ(rejected.state, Receipt::State::kRejected);
  EXPECT_EQ(rejected.reason, "the session ends: stopped");
  Take<MediaPart>();
  Take<ChunkReport>();
  const auto ended = Take<Ended>();
  EXPECT_EQ(ended.reason, EndReason::kStopped);
  EXPECT_EQ(ended.chunks, 1);
  EXPECT_EQ(ended.frames, 4);
  const WriterStep last = session_.Next();
  EXPECT_EQ(last.kind, Kind::kFinish);
  EXPECT_TRUE(last.status.ok());
}

TEST_F(SessionTest, AnEventAfterTheEndIsReceivedAndRejected) {
  Take<Started>();
  session_.End(EndReason::kCompleted);
  ASSERT_TRUE(session_.AddAction(Action(1)).ok());
  EXPECT_EQ(Take<Receipt>().state, Receipt::State::kReceived);
  EXPECT_EQ(Take<Receipt>().state, Receipt::State::kRejected);
  Take<Ended>();
}

TEST_F(SessionTest, DrainingEndsUnavailable) {
  Take<Started>();
  session_.End(EndReason::kDraining);
  EXPECT_EQ(Take<Ended>().reason, EndReason::kDraining);
  EXPECT_EQ(session_.Next().status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(SessionTest, AFailureForgetsTheOutboxAndCancels) {
  session_.PushChunk(Chunk(0));
  session_.Fail(EndReason::kFailed, absl::InternalError("first"));
  session_.Fail(EndReason::kFailed, absl::InternalError("second"));
  session_.End(EndReason::kStopped);
  EXPECT_TRUE(session_.work().cancelled);
  const WriterStep step = session_.Next();
  EXPECT_EQ(step.kind, Kind::kFinish);
  EXPECT_EQ(step.status, absl::InternalError("first"));
  EXPECT_EQ(session_.own_memory().used_bytes(BytesKind::kMedia), 0);
  session_.PushChunk(Chunk(1));
  EXPECT_EQ(session_.own_memory().used_bytes(BytesKind::kMedia), 0);
}

TEST_F(SessionTest, AnAbortCutsTheCallOff) {
  session_.Abort();
  EXPECT_EQ(session_.Next().kind, Kind::kAbort);
}

TEST_F(SessionTest, OnlySentChunksCanBeAcknowledged) {
  Take<Started>();
  EXPECT_THAT(session_.Ack(0).message(), HasSubstr("ack.chunk_index: 0"));
  session_.PushChunk(Chunk(0));
  EXPECT_FALSE(session_.Ack(0).ok());
  Take<MediaPart>();
  Take<ChunkReport>();
  EXPECT_TRUE(session_.Ack(0).ok());
  EXPECT_FALSE(session_.Ack(1).ok());
}

TEST_F(SessionTest, AnAckMayOvertakeTheEndOfTheWrite) {
  Take<Started>();
  session_.PushChunk(Chunk(0));
  Take<MediaPart>();
  ASSERT_EQ(session_.Next().kind, Kind::kWrite);
  EXPECT_TRUE(session_.Ack(0).ok());
  session_.Written();
}

TEST_F(SessionTest, AFloodOfPingsThatNobodyReadsIsRefused) {
  absl::Status status;
  int pings = 0;
  while (status.ok() && pings < 100000) status = session_.Ping(++pings);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(SessionTest, EveryByteHasAKind) {
  session_.PushChunk(Chunk(0));
  const KindBytes held = session_.HeldBytes();
  EXPECT_EQ(held[static_cast<int>(BytesKind::kMedia)], 100);
  EXPECT_EQ(held[static_cast<int>(BytesKind::kInput)],
            InputQueue::Bytes(model_.info(), {}));
}

}  // namespace
}  // namespace qvg
