// Cancelling, draining and shutting down in every state that a call can be in.

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/rpc_client.h"

namespace qvg {
namespace {

using testing::FakeRpcServer;
using testing::RpcStream;
using Case = v1::StreamResponse::MessageCase;

struct Situation {
  const char* name;
  std::function<void(FakeRpcServer&, RpcStream&)> reach;
};

std::vector<Situation> Situations() {
  return {
      {"NotStarted", [](FakeRpcServer&, RpcStream&) {}},
      {"Opening",
       [](FakeRpcServer& server, RpcStream& stream) {
         server.model.open_gate().Close();
         stream.Start(4);
         ASSERT_TRUE(server.model.open_gate().AwaitWaiting());
       }},
      {"Running",
       [](FakeRpcServer& server, RpcStream& stream) {
         server.model.step_gate().Close();
         stream.Start(4);
         ASSERT_TRUE(server.model.step_gate().AwaitWaiting());
       }},
      {"Writing",
       [](FakeRpcServer&, RpcStream& stream) {
         stream.Start(64);
         stream.ReadUntil(Case::kChunkDone);
       }},
      {"Waiting",
       [](FakeRpcServer&, RpcStream& stream) {
         stream.Start(1);
         stream.ReadUntil(Case::kChunkDone);
       }},
      {"Finishing",
       [](FakeRpcServer&, RpcStream& stream) {
         stream.Start(1);
         stream.HalfClose();
         stream.ReadUntil(Case::kEnded);
       }},
  };
}

class InEveryState : public ::testing::TestWithParam<Situation> {
 protected:
  InEveryState() : stream_(server_.Connect()) {
    GetParam().reach(server_, stream_);
  }

  void OpenGates() {
    server_.model.open_gate().Open();
    server_.model.step_gate().Open();
  }

  // The server serves on, and nothing of the session is left.
  void ExpectFree() {
    RpcStream next(server_.Connect());
    EXPECT_TRUE(next.Start(1));
    EXPECT_TRUE(next.ReadUntil(Case::kChunkDone));
    next.HalfClose();
    EXPECT_TRUE(next.Finish().ok());
    EXPECT_TRUE(server_.AwaitMemoryBack());
  }

  FakeRpcServer server_;
  RpcStream stream_;
};

TEST_P(InEveryState, CancellingFreesEverything) {
  stream_.Cancel();
  stream_.Finish();
  OpenGates();
  ExpectFree();
}

TEST_P(InEveryState, DrainingEndsTheCall) {
  server_.manager->Drain();
  OpenGates();
  const bool started = GetParam().name != std::string("NotStarted");
  if (!started) stream_.Start();
  const grpc::Status status = stream_.Finish();
  if (GetParam().name != std::string("Finishing")) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  }
  if (started) {
    EXPECT_EQ(stream_.All(Case::kEnded).size(), 1);
  }
  RpcStream late(server_.Connect());
  late.Start();
  EXPECT_EQ(late.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_P(InEveryState, ShutdownReturnsAndCutsOff) {
  OpenGates();
  server_.rpc->Shutdown(absl::ZeroDuration());
  stream_.Finish();
  server_.rpc.reset();
  EXPECT_TRUE(server_.AwaitMemoryBack());
}

TEST_P(InEveryState, AbortingEndsTheCall) {
  server_.manager->AbortAll();
  OpenGates();
  if (GetParam().name == std::string("NotStarted")) stream_.HalfClose();
  EXPECT_FALSE(stream_.Finish().ok() &&
               GetParam().name != std::string("Finishing"));
  ExpectFree();
}

// Sessions go a moment after their calls: room for those that are still there.
SessionManagerOptions Roomy() {
  SessionManagerOptions options;
  options.limits.max_sessions = 1000;
  return options;
}

// Whatever moment a cancel meets, none may leave a call behind that never
// ends.
TEST(Cancel, WhileMediaAreWrittenEndsTheCall) {
  FakeRpcServer server(Roomy(), {}, int64_t{8} << 30);
  const auto channel = server.Connect();
  for (int i = 0; i < 200; ++i) {
    RpcStream stream(channel);
    ASSERT_TRUE(stream.Start(64));
    for (int k = 0; k < i % 12; ++k) ASSERT_TRUE(stream.Read());
  }
  EXPECT_TRUE(server.AwaitMemoryBack());
  server.rpc->Shutdown(absl::ZeroDuration());
}

// The cancel races the end of the last write there is.
TEST(Cancel, AtTheLastWriteEndsTheCall) {
  FakeRpcServer server(Roomy(), {}, int64_t{8} << 30);
  const auto channel = server.Connect();
  for (int i = 0; i < 500; ++i) {
    RpcStream stream(channel);
    ASSERT_TRUE(stream.Start());
    ASSERT_TRUE(stream.Read());
  }
  EXPECT_TRUE(server.AwaitMemoryBack());
  server.rpc->Shutdown(absl::ZeroDuration());
}

INSTANTIATE_TEST_SUITE_P(States, InEveryState,
                         ::testing::ValuesIn(Situations()),
                         [](const auto& state) { return state.param.name; });

}  // namespace
}  // namespace qvg
