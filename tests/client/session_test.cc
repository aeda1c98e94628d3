#include "client/session.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace qvg {
namespace {

using testing::HasSubstr;

v1::Start RawStart(uint32_t max_chunks) {
  v1::Start start;
  start.set_seed(5);
  start.set_max_chunks(max_chunks);
  start.set_output_format(v1::OUTPUT_FORMAT_RAW_RGB24);
  return start;
}

// A client, its fake server and one session on it.
struct Fixture {
  explicit Fixture(FakeBehavior behavior = {}) : server(behavior) {
    auto connected = Client::Connect(server.address());
    EXPECT_TRUE(connected.ok()) << connected.status();
    client = *std::move(connected);
  }

  absl::Status Open(const v1::Start& start) {
    auto opened = Session::Open(*client, start);
    if (opened.ok()) session = *std::move(opened);
    return opened.status();
  }

  // Chunks until the session ends; `status` says how.
  std::vector<Chunk> AllChunks() {
    std::vector<Chunk> chunks;
    for (;;) {
      auto event = session->Next();
      status = event.status();
      if (!event.ok()) return chunks;
      if (auto* chunk = std::get_if<Chunk>(&*event)) {
        chunks.push_back(std::move(*chunk));
      } else if (auto* last = std::get_if<v1::Ended>(&*event)) {
        ended = *last;
      }
    }
  }

  size_t Count(v1::StreamRequest::MessageCase message) const {
    size_t count = 0;
    for (const v1::StreamRequest& request : server.requests()) {
      count += request.message_case() == message;
    }
    return count;
  }

  FakeServer server;
  std::unique_ptr<Client> client;
  std::unique_ptr<Session> session;
  absl::Status status;
  v1::Ended ended;
};

TEST(Session, DeliversEveryChunkWhole) {
  Fixture f;
  ASSERT_TRUE(f.Open(RawStart(3)).ok());
  EXPECT_EQ(f.session->started().session_id(), "s1");
  f.session->FlowCredit(2, 3);
  const std::vector<Chunk> chunks = f.AllChunks();
  EXPECT_TRUE(absl::IsOutOfRange(f.status)) << f.status;
  EXPECT_EQ(f.ended.reason(), v1::ENDED_REASON_STOPPED);
  ASSERT_EQ(chunks.size(), 3);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(chunks[i].done.chunk_index(), i);
    ASSERT_EQ(chunks[i].media.size(), 1);
    const auto first = FakeServer::Frame(5, 4 * i, "idle");
    EXPECT_EQ(chunks[i].media[0].data.size(), 4 * first.size());
    EXPECT_EQ(chunks[i].media[0].data.substr(0, first.size()),
              std::string(first.begin(), first.end()));
  }
}

TEST(Session, FlowsCreditAndAcknowledges) {
  Fixture f;
  ASSERT_TRUE(f.Open(RawStart(0)).ok());
  f.session->FlowCredit(2, 5);
  for (int i = 0; i < 5; ++i) {
    auto event = f.session->Next();
    ASSERT_TRUE(event.ok()) << event.status();
    ASSERT_TRUE(std::holds_alternative<Chunk>(*event));
  }
  f.session->SendPing(1);
  ASSERT_TRUE(f.session->Next().ok());  // acknowledges the fifth
  f.session->SendStop();
  EXPECT_TRUE(f.AllChunks().empty());
  EXPECT_EQ(f.Count(v1::StreamRequest::kAck), 5);
  uint64_t credit = 0, acked = 0;
  for (const v1::StreamRequest& request : f.server.requests()) {
    credit += request.credit().chunks();
    if (request.has_ack()) {
      EXPECT_EQ(request.ack().chunk_index(), acked++);
    }
    EXPECT_LE(credit, acked + 2);
  }
  EXPECT_EQ(credit, 5);
}

TEST(Session, SeparatesInitSegmentAndFilesOfFrames) {
  for (auto format : {v1::OUTPUT_FORMAT_H264_FMP4, v1::OUTPUT_FORMAT_JPEG}) {
    FakeBehavior behavior;
    behavior.part_bytes = 37;
    Fixture f(behavior);
    v1::Start start = RawStart(2);
    start.set_output_format(format);
    ASSERT_TRUE(f.Open(start).ok());
    f.session->FlowCredit(4, 2);
    const std::vector<Chunk> chunks = f.AllChunks();
    ASSERT_EQ(chunks.size(), 2);
    if (format == v1::OUTPUT_FORMAT_H264_FMP4) {
      EXPECT_EQ(f.session->init_segment().substr(4, 4), "ftyp");
      ASSERT_EQ(chunks[1].media.size(), 1);
      EXPECT_EQ(chunks[1].media[0].data.substr(4, 4), "moof");
      continue;
    }
    EXPECT_EQ(f.session->init_segment(), "");
    ASSERT_EQ(chunks[1].media.size(), 4);
    for (uint32_t i = 0; i < 4; ++i) {
      EXPECT_EQ(chunks[1].media[i].frame_index, i);
      EXPECT_EQ(chunks[1].media[i].data.substr(0, 2), "\xff\xd8");
      EXPECT_EQ(
          chunks[1].media[i].data.substr(chunks[1].media[i].data.size() - 2),
          "\xff\xd9");
    }
  }
}

TEST(Session, PassesReceiptsAndPongs) {
  Fixture f;
  ASSERT_TRUE(f.Open(RawStart(1)).ok());
  f.session->SendPing(77);
  v1::Action action;
  action.set_event_id(9);
  f.session->Send(action);
  auto pong = f.session->Next();
  ASSERT_TRUE(pong.ok()) << pong.status();
  EXPECT_EQ(std::get<v1::Pong>(*pong).nonce(), 77);
  for (auto state : {v1::RECEIPT_STATE_RECEIVED, v1::RECEIPT_STATE_APPLIED}) {
    auto receipt = f.session->Next();
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    EXPECT_EQ(std::get<v1::Receipt>(*receipt).event_id(), 9);
    EXPECT_EQ(std::get<v1::Receipt>(*receipt).state(), state);
  }
}

TEST(Session, SendsFromManyThreads) {
  Fixture f;
  ASSERT_TRUE(f.Open(RawStart(0)).ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) f.session->SendPing(i);
      f.session->SendPause(true);
    });
  }
  for (std::thread& thread : threads) thread.join();
  f.session->SendStop();
  f.AllChunks();
  EXPECT_EQ(f.Count(v1::StreamRequest::kPing), 80);
  EXPECT_EQ(f.Count(v1::StreamRequest::kPause), 4);
}

TEST(Session, TellsWhyItWasRefused) {
  FakeBehavior behavior;
  behavior.refuse =
      grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "no room");
  Fixture f(behavior);
  const absl::Status status = f.Open(RawStart(1));
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "no room");
}

TEST(Session, TellsThatTheWireBroke) {
  FakeBehavior behavior;
  behavior.break_after_chunks = 2;
  Fixture f(behavior);
  ASSERT_TRUE(f.Open(RawStart(9)).ok());
  f.session->FlowCredit(4, 9);
  EXPECT_EQ(f.AllChunks().size(), 2);
  EXPECT_EQ(f.status, absl::UnavailableError("the wire broke"));
  EXPECT_EQ(f.session->Next().status(), f.status);
}

TEST(Session, CancelEndsTheCall) {
  Fixture f;
  ASSERT_TRUE(f.Open(RawStart(0)).ok());
  std::thread canceller([&] { f.session->Cancel(); });
  EXPECT_TRUE(f.AllChunks().empty());
  canceller.join();
  EXPECT_TRUE(absl::IsCancelled(f.status)) << f.status;
}

TEST(Session, CanBeDroppedInTheMiddle) {
  Fixture f;
  ASSERT_TRUE(f.Open(RawStart(0)).ok());
  f.session->FlowCredit(8, 100);
  ASSERT_TRUE(f.session->Next().ok());
  f.session.reset();
  EXPECT_TRUE(f.client->ServerInfo().ok());
}

struct BrokenProtocol {
  const char* name;
  FakeBehavior behavior;
  const char* message;
};

class BrokenProtocolTest : public testing::TestWithParam<BrokenProtocol> {};

TEST_P(BrokenProtocolTest, IsDataLoss) {
  Fixture f(GetParam().behavior);
  absl::Status status = f.Open(RawStart(2));
  if (status.ok()) {
    f.session->FlowCredit(2, 2);
    f.AllChunks();
    status = f.status;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.message(), HasSubstr(GetParam().message));
}

FakeBehavior With(void (*change)(FakeBehavior&)) {
  FakeBehavior behavior;
  change(behavior);
  return behavior;
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, BrokenProtocolTest,
    testing::Values(BrokenProtocol{"no_started", With([](FakeBehavior& b) {
                                     b.skip_started = true;
                                   }),
                                   "before `started`"},
                    BrokenProtocol{"wrong_hash", With([](FakeBehavior& b) {
                                     b.wrong_hash = true;
                                   }),
                                   "SHA-256"},
                    BrokenProtocol{"no_last_part", With([](FakeBehavior& b) {
                                     b.drop_last_part = true;
                                   }),
                                   "before its last part"}),
    [](const auto& test) { return test.param.name; });

TEST(Client, SaysThatNobodyAnswers) {
  auto client = Client::Connect("127.0.0.1:1", absl::Milliseconds(200));
  EXPECT_EQ(client.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(client.status().message(), HasSubstr("127.0.0.1:1"));
}

TEST(Client, FindsModelsByName) {
  Fixture f;
  EXPECT_EQ(f.client->FindModel("")->name(), "fake");
  EXPECT_EQ(f.client->FindModel("fake")->frames_per_chunk(), 4);
  const absl::Status status = f.client->FindModel("wan").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("\"wan\"; the server has fake"));
}

TEST(Client, ListsAndClosesSessions) {
  Fixture f;
  EXPECT_EQ(f.client->Sessions()->sessions(0).session_id(), "s1");
  EXPECT_TRUE(f.client->CloseSession("s1").ok());
  EXPECT_TRUE(absl::IsNotFound(f.client->CloseSession("s2")));
  EXPECT_THAT(f.server.closed(), testing::ElementsAre("s1"));
}

}  // namespace
}  // namespace qvg
