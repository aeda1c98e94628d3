// How sessions end: by their client, by a timer, by an operator, by draining
// and by cancelling, in every state they can be in.

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_server.h"

namespace qvg {
namespace {

using testing::FakeReader;
using testing::FakeServer;

TEST(Endings, AnIdleSessionExpires) {
  FakeServer server;
  FakeReader reader(server.manager.get(), FakeServer::Request(1));
  reader.ReadUntil<ChunkReport>();
  server.Pass(absl::Minutes(5));
  reader.ReadAll();
  ASSERT_TRUE(reader.final_status());
  EXPECT_TRUE(reader.final_status()->ok());
  EXPECT_EQ(reader.All<Ended>().at(0).reason, EndReason::kIdle);
}

TEST(Endings, AnAckKeepsASessionFromBeingIdle) {
  FakeServer server;
  FakeReader reader(server.manager.get(), FakeServer::Request(1));
  reader.ReadUntil<ChunkReport>();
  server.Pass(absl::Minutes(4));
  reader.handle().Ack(0);
  server.Pass(absl::Minutes(4));
  reader.handle().Ping(3);
  EXPECT_EQ(reader.ReadUntil<Pong>()->nonce, 3);
}

TEST(Endings, ASessionGetsOnlySoOld) {
  FakeServer server;
  server.model.step_gate().Close();
  FakeReader reader(server.manager.get(), FakeServer::Request(64));
  ASSERT_TRUE(server.model.step_gate().AwaitWaiting());
  server.Pass(absl::Hours(2));
  server.model.step_gate().Open();
  reader.ReadAll();
  EXPECT_EQ(reader.All<ChunkReport>().size(), 1) << "the one under way";
  EXPECT_EQ(reader.All<Ended>().at(0).reason, EndReason::kTooOld);
}

TEST(Endings, AWriteThatIsNotAcceptedEndsTheStream) {
  FakeServer server;
  FakeReader reader(server.manager.get(), FakeServer::Request(1));
  ASSERT_TRUE(reader.ReadWithoutDone());
  server.Pass(absl::Seconds(19));
  EXPECT_FALSE(reader.aborted());
  server.Pass(absl::Seconds(1));
  EXPECT_FALSE(reader.ReadWithoutDone());
  EXPECT_TRUE(reader.aborted());
  EXPECT_EQ(reader.final_status()->code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server.Metric("qvg_write_stalls_total"), 1);
}

TEST(Endings, CloseEndsInOrderAndByName) {
  FakeServer server;
  FakeReader reader(server.manager.get(), FakeServer::Request(0));
  EXPECT_EQ(server.manager->Close("nobody").code(),
            absl::StatusCode::kNotFound);
  EXPECT_TRUE(server.manager->Close(reader.handle().name()).ok());
  reader.ReadAll();
  EXPECT_EQ(reader.All<Ended>().at(0).reason, EndReason::kClosed);
  EXPECT_TRUE(reader.final_status()->ok());
}

TEST(Endings, StopServesTheChunkUnderWay) {
  FakeServer server;
  server.model.step_gate().Close();
  FakeReader reader(server.manager.get(), FakeServer::Request(10));
  ASSERT_TRUE(server.model.step_gate().AwaitWaiting());
  reader.handle().Stop();
  server.model.step_gate().Open();
  reader.ReadAll();
  EXPECT_EQ(reader.All<ChunkReport>().size(), 1);
  EXPECT_EQ(reader.All<Ended>().at(0).reason, EndReason::kStopped);
}

TEST(Endings, AllChunksGeneratedIsCompleted) {
  FakeServer server;
  StartRequest request = FakeServer::Request(5);
  request.spec.max_chunks = 2;
  FakeReader reader(server.manager.get(), request);
  reader.ReadAll();
  EXPECT_EQ(reader.All<ChunkReport>().size(), 2);
  EXPECT_EQ(reader.All<Ended>().at(0).reason, EndReason::kCompleted);
}

TEST(Endings, PausedGeneratesNothingUntilResumed) {
  FakeServer server;
  FakeReader reader(server.manager.get(), FakeServer::Request(0));
  reader.handle().SetPaused(true);
  reader.handle().AddCredit(1);
  // Another session gets all that it wants meanwhile.
  FakeReader other(server.manager.get(), FakeServer::Request(4));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(other.ReadUntil<ChunkReport>());
  EXPECT_EQ(server.manager->List().at(0).chunks, 0);
  EXPECT_EQ(server.manager->List().at(0).state, "waiting");
  reader.handle().SetPaused(false);
  EXPECT_TRUE(reader.ReadUntil<ChunkReport>());
}

// The states that a session can be in when somebody ends it.
struct Situation {
  const char* name;
  // Brings the session of `reader` there. The reader has credit for 4 chunks.
  std::function<void(FakeServer&, FakeReader&)> reach;
  // Lets what the situation holds up go on.
  std::function<void(FakeServer&, FakeReader&)> release;
};

std::vector<Situation> Situations() {
  const auto nothing = [](FakeServer&, FakeReader&) {};
  const auto open_gates = [](FakeServer& server, FakeReader&) {
    server.model.open_gate().Open();
    server.model.step_gate().Open();
  };
  return {
      {"Opening",
       [](FakeServer& server, FakeReader&) {
         ASSERT_TRUE(server.model.open_gate().AwaitWaiting());
       },
       open_gates},
      {"Running",
       [](FakeServer& server, FakeReader&) {
         server.model.open_gate().Open();
         ASSERT_TRUE(server.model.step_gate().AwaitWaiting());
       },
       open_gates},
      {"Writing",
       [open_gates](FakeServer& server, FakeReader& reader) {
         open_gates(server, reader);
         while (auto message = reader.ReadWithoutDone()) {
           if (std::holds_alternative<MediaPart>(*message)) return;
           reader.WriteDone();
         }
       },
       [](FakeServer&, FakeReader& reader) { reader.WriteDone(); }},
      {"Waiting",
       [open_gates](FakeServer& server, FakeReader& reader) {
         open_gates(server, reader);
         for (int i = 0; i < 4; ++i) reader.ReadUntil<ChunkReport>();
       },
       nothing},
      {"Finishing",
       [open_gates](FakeServer& server, FakeReader& reader) {
         open_gates(server, reader);
         reader.handle().Stop();
         reader.ReadUntil<Ended>();
       },
       nothing},
  };
}

class EndingsInEveryState : public ::testing::TestWithParam<Situation> {
 protected:
  EndingsInEveryState() {
    server_.model.open_gate().Close();
    server_.model.step_gate().Close();
    reader_ = std::make_unique<FakeReader>(server_.manager.get(),
                                           FakeServer::Request(4));
    GetParam().reach(server_, *reader_);
  }

  FakeServer server_;
  std::unique_ptr<FakeReader> reader_;
};

TEST_P(EndingsInEveryState, DrainingEndsInOrder) {
  server_.manager->Drain();
  FakeReader late(server_.manager.get(), FakeServer::Request());
  EXPECT_EQ(late.status().code(), absl::StatusCode::kUnavailable);
  GetParam().release(server_, *reader_);
  reader_->ReadAll();
  ASSERT_TRUE(reader_->final_status());
  ASSERT_EQ(reader_->All<Ended>().size(), 1);
  EXPECT_FALSE(server_.manager->Ready().ok());
}

TEST_P(EndingsInEveryState, AnAbortCutsOff) {
  server_.manager->AbortAll();
  EXPECT_FALSE(reader_->ReadWithoutDone());
  EXPECT_TRUE(reader_->aborted());
  GetParam().release(server_, *reader_);
}

TEST_P(EndingsInEveryState, CancellingFreesEverythingWithinAStep) {
  reader_->handle().Cancel();
  reader_.reset();  // the call is over
  EXPECT_EQ(server_.manager->List().size(), 0);
  // At most the step under way is finished.
  const int64_t steps = server_.model.steps_done();
  server_.model.open_gate().Open();
  server_.model.step_gate().Open();
  // Another session gets through the generator: it is free again.
  FakeReader other(server_.manager.get(), FakeServer::Request(1));
  EXPECT_TRUE(other.ReadUntil<ChunkReport>());
  EXPECT_LE(server_.model.steps_done() - steps, 3);
  server_.manager->Close(other.handle().name()).IgnoreError();
  other.ReadAll();
  other.handle() = SessionHandle();
  server_.manager.reset();
  EXPECT_EQ(server_.pool->usage().reserved, 0);
}

TEST_P(EndingsInEveryState, ABrokenRuleEndsTheCallWithItsStatus) {
  if (reader_->final_status()) return;
  reader_->handle().Fail(absl::InvalidArgumentError("rule"));
  GetParam().release(server_, *reader_);
  reader_->ReadAll();
  ASSERT_TRUE(reader_->final_status());
  EXPECT_EQ(*reader_->final_status(), absl::InvalidArgumentError("rule"));
}

INSTANTIATE_TEST_SUITE_P(States, EndingsInEveryState,
                         ::testing::ValuesIn(Situations()),
                         [](const auto& state) { return state.param.name; });

}  // namespace
}  // namespace qvg
