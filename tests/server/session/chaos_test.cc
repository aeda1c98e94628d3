// Many sessions at once whose clients do anything at any time. Whatever they
// do, frames stay in order, memory stays within the budget and all of it comes
// back.

#include <random>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/log/log.h"
#include "tests/fakes/fake_server.h"

namespace qvg {
namespace {

using testing::FakeReader;
using testing::FakeServer;

// One client: a few sessions in a row, driven by random choices.
class Client {
 public:
  Client(FakeServer* server, uint32_t seed) : server_(server), random_(seed) {}

  // Opens as many sessions as it takes to be admitted `sessions` times.
  void Run(int sessions) {
    for (int i = 0; i < sessions;) {
      FakeReader reader(server_->manager.get(), Request());
      if (!reader.status().ok()) {
        EXPECT_EQ(reader.status().code(), absl::StatusCode::kResourceExhausted);
        ++refused_;
        std::this_thread::yield();
        continue;
      }
      const int steps = Below(60);
      for (int k = 0; k < steps && !reader.final_status(); ++k) Step(reader);
      ExpectOrder(reader);
      chunks_ += std::ssize(reader.All<ChunkReport>());
      ++i;
    }
  }

  int64_t refused() const { return refused_; }
  int64_t chunks() const { return chunks_; }

 private:
  int Below(int n) { return static_cast<int>(random_() % n); }

  StartRequest Request() {
    StartRequest request = FakeServer::Request(Below(4), random_());
    request.spec.max_chunks = Below(30);
    return request;
  }

  void Step(FakeReader& reader) {
    SessionHandle& handle = reader.handle();
    const int choice = Below(100);
    if (choice < 50) {
      Read(reader);
    } else if (choice < 65) {
      handle.AddCredit(1 + Below(3));
    } else if (choice < 80) {
      handle.Action(Action());
    } else if (choice < 85) {
      handle.SetPaused(Below(2) == 0);
    } else if (choice < 90) {
      handle.Ping(1);
    } else if (choice < 92) {
      handle.Prompt({++event_, "red"});
    } else if (choice < 94) {
      server_->Pass(absl::Milliseconds(100));
    } else if (choice < 96) {
      handle.Stop();
    } else if (choice < 97) {
      handle.Cancel();
    } else if (choice < 98) {
      server_->manager->Close(handle.name()).IgnoreError();
    } else if (choice < 99) {
      handle.InputClosed();
    } else {
      handle.AddCredit(100000);  // breaks the rules
    }
  }

  // Takes a message if one comes soon.
  void Read(FakeReader& reader) {
    for (int i = 0; i < 200; ++i) {
      if (reader.handle().NextStep().kind != WriterStep::Kind::kWait) {
        reader.Read();
        return;
      }
      std::this_thread::yield();
    }
  }

  ActionRequest Action() {
    ActionRequest action;
    action.event_id = ++event_;
    action.controls = {{Below(2) == 0 ? "left" : "forward", 1 + Below(9), {}}};
    action.replace = Below(4) == 0;
    if (Below(4) == 0) action.start_frame = 4 * Below(30);
    return action;
  }

  static void ExpectOrder(const FakeReader& reader) {
    int64_t next = 0;
    for (const ChunkReport& report : reader.All<ChunkReport>()) {
      EXPECT_EQ(report.chunk, next++);
    }
    EXPECT_LE(reader.All<Ended>().size(), 1);
  }

  FakeServer* server_;
  std::mt19937 random_;
  uint64_t event_ = 0;
  int64_t refused_ = 0;
  int64_t chunks_ = 0;
};

TEST(Chaos, NothingIsLeftBehind) {
  SetLogLevel(LogLevel::kError);
  SessionManagerOptions options;
  options.encode_threads = 2;
  options.limits.max_sessions = 3;
  FakeServer server(options, 24 << 20);
  std::vector<Client> clients;
  for (uint32_t seed = 1; seed <= 4; ++seed)
    clients.emplace_back(&server, seed);
  std::vector<std::thread> threads;
  for (Client& client : clients) {
    threads.emplace_back([&client] { client.Run(100); });
  }
  for (std::thread& thread : threads) thread.join();
  int64_t chunks = 0, refused = 0;
  for (const Client& client : clients) {
    chunks += client.chunks();
    refused += client.refused();
  }
  EXPECT_GT(chunks, 100);
  EXPECT_GT(refused, 0);
  EXPECT_TRUE(server.AwaitMemoryBack());
  EXPECT_EQ(server.manager->List().size(), 0);
  // And it still works.
  FakeReader last(server.manager.get(), FakeServer::Request(1));
  EXPECT_TRUE(last.ReadUntil<ChunkReport>());
}

}  // namespace
}  // namespace qvg
