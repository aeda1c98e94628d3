// Eight sessions at once, one of which never reads: the others must get their
// chunks as if it were not there, and memory must not grow. Rounds with it and
// rounds without take turns, so that what else the machine does, and how long
// histories are, is the same for both.

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/session.h"
#include "gtest/gtest.h"
#include "tests/e2e/daemon.h"

ABSL_FLAG(double, seconds, 60, "Time that is measured, with and without");
ABSL_FLAG(int, rounds, 9, "Parts that this time is taken in");

namespace qvg::bench {
namespace {

constexpr int kReaders = 7;
constexpr int kSteps = 2;
constexpr double kSlack = 1.1;
constexpr int64_t kGrowthBytes = int64_t{8} << 20;
// Let sessions that start be gone from what is measured.
constexpr absl::Duration kSettle = absl::Seconds(4);

// Seconds, one per chunk.
struct Times {
  std::vector<double> interval;  // since the chunk before, at the client
  std::vector<double> generate;  // in the model and the encoder
  std::vector<double> queue;     // until the generator took it up

  void Add(const Times& other) {
    for (auto member : {&Times::interval, &Times::generate, &Times::queue}) {
      (this->*member)
          .insert((this->*member).end(), (other.*member).begin(),
                  (other.*member).end());
    }
  }
};

double Quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share *
                                    static_cast<double>(values.size() - 1))];
}

// One session that plays until it is stopped.
class Reader {
 public:
  Reader(Client& client, uint64_t seed) {
    v1::Start start;
    start.set_seed(seed);
    start.set_steps(kSteps);
    auto session = Session::Open(client, start);
    EXPECT_TRUE(session.ok()) << session.status();
    if (!session.ok()) return;
    session_ = *std::move(session);
    session_->FlowCredit(4, session_->started().max_chunks());
    thread_ = std::thread([this] { Read(); });
  }
  ~Reader() { Stop(); }
  Reader(const Reader&) = delete;

  void Measure() { measuring_ = true; }

  // Ends the session; what was measured.
  Times Stop() {
    if (thread_.joinable()) {
      stopping_ = true;
      session_->Cancel();
      thread_.join();
    }
    return times_;
  }

 private:
  void Read() {
    absl::Time last;
    bool measured = false;
    for (;;) {
      const auto event = session_->Next();
      if (!event.ok()) {
        EXPECT_TRUE(stopping_) << event.status();
        return;
      }
      const Chunk* chunk = std::get_if<Chunk>(&*event);
      if (chunk == nullptr) continue;
      const absl::Time now = absl::Now();
      if (measured) Add(chunk->done.stages(), now - last);
      last = now;
      measured = measuring_;
    }
  }

  void Add(const v1::StageSeconds& stages, absl::Duration interval) {
    times_.interval.push_back(absl::ToDoubleSeconds(interval));
    times_.generate.push_back(stages.denoise() + stages.kv_commit() +
                              stages.pack() + stages.decode() +
                              stages.encode());
    times_.queue.push_back(stages.queue());
  }

  std::unique_ptr<Session> session_;
  std::atomic<bool> measuring_ = false;
  std::atomic<bool> stopping_ = false;
  Times times_;
  std::thread thread_;
};

// Lets time go by, in which the server must not end.
void Pass(e2e::Daemon& daemon, absl::Duration time) {
  EXPECT_FALSE(daemon.process().Wait(time).has_value()) << "qvgd has ended";
}

// A session with all the credit there is that never reads. Waits until its
// outbox is full.
std::unique_ptr<Session> NeverReads(e2e::Daemon& daemon) {
  v1::Start start;
  start.set_steps(kSteps);
  start.set_output_format(v1::OUTPUT_FORMAT_RAW_RGB24);
  start.set_first_credit(64);
  auto session = Session::Open(daemon.client(), start);
  EXPECT_TRUE(session.ok()) << session.status();
  if (!session.ok()) return nullptr;
  for (int i = 0; i < 600; ++i) {
    const auto sessions = daemon.client().Sessions();
    if (sessions.ok() && sessions->sessions_size() == 1 &&
        sessions->sessions(0).state() == "waiting") {
      EXPECT_GT(sessions->sessions(0).credit(), 0);
      return *std::move(session);
    }
    Pass(daemon, absl::Milliseconds(50));
  }
  ADD_FAILURE() << "a session that never reads does not come to wait";
  return nullptr;
}

// What the readers measure in one round.
Times PlayRound(e2e::Daemon& daemon, absl::Duration length) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.push_back(std::make_unique<Reader>(daemon.client(), i));
  }
  Pass(daemon, kSettle);
  for (auto& reader : readers) reader->Measure();
  Pass(daemon, length);
  Times times;
  for (auto& reader : readers) times.Add(reader->Stop());
  return times;
}

// Of the rounds with and of those without.
struct Rounds {
  Times all;
  std::vector<double> p99;  // of the intervals of one round

  void Add(const Times& times) {
    all.Add(times);
    p99.push_back(Quantile(times.interval, .99));
  }
};

std::string ToJson(const Rounds& rounds) {
  const Times& times = rounds.all;
  const auto field = [](const char* name, const std::vector<double>& values) {
    return absl::StrFormat("\"%s_s\": {\"p50\": %.4f, \"p99\": %.4f}", name,
                           Quantile(values, .5), Quantile(values, .99));
  };
  return absl::StrCat("{\"chunks\": ", times.interval.size(), ", ",
                      field("interval", times.interval), ", ",
                      field("generate", times.generate), ", ",
                      field("queue", times.queue),
                      absl::StrFormat(", \"round_interval_p99_s\": [%s]}",
                                      absl::StrJoin(rounds.p99, ", ")));
}

struct Figures {
  Rounds without;
  Rounds with;
  std::vector<int64_t> resident;  // with no session, after each pair of rounds
  int64_t left_bytes = 0;         // of sessions that are gone, at most

  // Of the middle round, so that a burst of other work in one of them does
  // not count.
  double p99_ratio() const {
    return Quantile(with.p99, .5) / Quantile(without.p99, .5);
  }
};

std::string ToJson(const Figures& figures) {
  const std::vector<int64_t>& resident = figures.resident;
  return absl::StrCat(
      "{\"without\": ", ToJson(figures.without),
      ",\n\"with\": ", ToJson(figures.with),
      absl::StrFormat(",\n\"interval_p99_ratio\": %.3f", figures.p99_ratio()),
      ",\n\"rss_bytes\": {\"start\": ", resident.front(),
      ", \"middle\": ", resident[resident.size() / 2],
      ", \"end\": ", resident.back(),
      "},\n\"pool_bytes_after_close\": ", figures.left_bytes, "}\n");
}

class EightSessionsTest : public testing::Test {
 protected:
  void SetUp() override {
    // Nobody cuts off the session that never reads.
    daemon_ = e2e::Daemon::Start({"--write-stall-time=600s"});
    ASSERT_NE(daemon_, nullptr);
  }

  void CheckEmpty() {
    EXPECT_TRUE(daemon_->BecomesEmpty());
    const auto info = daemon_->client().ServerInfo();
    ASSERT_TRUE(info.ok());
    const int64_t left = static_cast<int64_t>(
        std::max(info->used_bytes(), info->reserved_bytes()));
    figures_.left_bytes = std::max(figures_.left_bytes, left);
  }

  bool IsLive(const std::string& session_id) {
    const auto live = daemon_->client().Sessions();
    return live.ok() &&
           std::any_of(live->sessions().begin(), live->sessions().end(),
                       [&](const v1::SessionSummary& session) {
                         return session.session_id() == session_id;
                       });
  }

  void RoundWithout(absl::Duration length) {
    figures_.without.Add(PlayRound(*daemon_, length));
    CheckEmpty();
  }

  void RoundWith(absl::Duration length) {
    auto stopped = NeverReads(*daemon_);
    ASSERT_NE(stopped, nullptr);
    figures_.with.Add(PlayRound(*daemon_, length));
    // It was there to the end.
    EXPECT_TRUE(IsLive(stopped->started().session_id()));
    stopped.reset();
    CheckEmpty();
  }

  std::unique_ptr<e2e::Daemon> daemon_;
  Figures figures_;
};

TEST_F(EightSessionsTest, OneThatNeverReadsDelaysNobody) {
  const int rounds = absl::GetFlag(FLAGS_rounds);
  const absl::Duration length =
      absl::Seconds(absl::GetFlag(FLAGS_seconds) / rounds);
  // Memory that the first sessions bring into use stays with the process.
  PlayRound(*daemon_, length);
  for (int i = 0; i < rounds; ++i) {
    // Who begins takes turns too.
    if (i % 2 == 0) RoundWithout(length);
    RoundWith(length);
    if (i % 2 == 1) RoundWithout(length);
    figures_.resident.push_back(daemon_->ResidentBytes());
  }
  std::printf("%s", ToJson(figures_).c_str());
  EXPECT_LE(figures_.p99_ratio(), kSlack);
  EXPECT_LE(figures_.resident.back() - figures_.resident.front(), kGrowthBytes);
  EXPECT_EQ(figures_.left_bytes, 0);
}

}  // namespace
}  // namespace qvg::bench

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
