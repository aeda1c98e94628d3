// Random events for Scheduler and for a naive model of it: the same decisions
// and verdicts must come out.

#include <random>
#include <set>
#include <utility>

#include "gtest/gtest.h"
#include "server/scheduler/scheduler.h"
#include "tests/server/scheduler/naive_scheduler.h"

namespace qvg::testing {
namespace {

SchedulerOptions Options() {
  SchedulerOptions options;
  options.max_sessions = 4;
  options.session_time = absl::Hours(1000);
  options.idle_time = absl::Hours(1000);
  options.write_stall_time = absl::Hours(1000);
  return options;
}

class Pair {
 public:
  explicit Pair(uint32_t seed) : random_(seed), scheduler_(Options()) {}

  void Step() {
    now_ += Chance(50) ? 0 : Below(Chance(2) ? 3000 : 60);
    if (fast_.size() < 4 && Chance(5)) return Admit();
    if (fast_.empty() || Chance(30)) return Next();
    const auto picked = std::next(naive_.sessions.begin(),
                                  Below(static_cast<int>(fast_.size())));
    Event(picked->first, picked->second);
  }

  int64_t runs = 0;
  int64_t verdicts[3] = {};

 private:
  int Below(int n) { return static_cast<int>(random_() % n); }
  bool Chance(int percent) { return Below(100) < percent; }
  absl::Time Now() const {
    return absl::UnixEpoch() + absl::Milliseconds(now_);
  }

  void Admit() {
    TaskParams params;
    params.chunk_duration = absl::Milliseconds(100 + 50 * Below(3));
    params.max_chunks = 20 + Below(200);
    params.max_credit = 1 + Below(12);
    params.max_outbox_chunks = 1 + Below(6);
    params.max_outbox_bytes = 100;
    ASSERT_TRUE(scheduler_.Admit(++last_id_, params, Now()).ok());
    naive_.Admit(last_id_, params);
    fast_.insert(last_id_);
  }

  void Next() {
    const Decision fast = scheduler_.Next(Now());
    const Decision naive = naive_.Next(now_);
    ASSERT_EQ(fast.kind, naive.kind) << "at " << now_;
    if (fast.kind == Decision::Kind::kNone) return;
    ASSERT_EQ(fast.id, naive.id) << "at " << now_;
    ASSERT_EQ(fast.chunk, naive.chunk);
    runs += fast.kind == Decision::Kind::kRun;
  }

  void Event(SessionId id, NaiveScheduler::Session& s) {
    if (Chance(1)) return Close(id);
    if (s.opening && !s.opened) {
      s.opened = true;
      scheduler_.Opened(id, Now());
    } else if (s.started > s.generated && Chance(60)) {
      ++s.generated;
      scheduler_.Generated(id, Now());
    } else if (s.generated > s.completed && Chance(70)) {
      Complete(id, s);
    } else if (!s.outbox.empty() && Chance(60)) {
      Write(id, s);
    } else if (Chance(75)) {
      Credit(id, s);
    } else {
      Pause(id, s);
    }
    naive_.Settle(s, now_);
  }

  void Complete(SessionId id, NaiveScheduler::Session& s) {
    const int64_t bytes = Below(40);
    const DeadlineState fast = scheduler_.Completed(id, bytes, Now()).state;
    ASSERT_EQ(fast, naive_.Complete(s, now_))
        << "session " << id << " chunk " << s.completed - 1;
    ++verdicts[static_cast<int>(fast)];
    s.outbox.push_back(bytes);
  }

  void Write(SessionId id, NaiveScheduler::Session& s) {
    if (s.start < 0) s.start = now_;
    scheduler_.WriteBegun(id, true, Now());
    naive_.Settle(s, now_);
    scheduler_.WriteDone(id, Now());
    scheduler_.Sent(id, s.outbox.front(), Now());
    s.outbox.pop_front();
  }

  void Credit(SessionId id, NaiveScheduler::Session& s) {
    const int64_t chunks = 1 + Below(4);
    const bool fits = s.granted - s.started + chunks <= s.params.max_credit;
    ASSERT_EQ(scheduler_.AddCredit(id, chunks, Now()).ok(), fits);
    if (fits) s.granted += chunks;
  }

  void Pause(SessionId id, NaiveScheduler::Session& s) {
    s.paused = !s.paused;
    if (s.paused) {
      s.pauses.push_back({now_, -1});
    } else {
      s.pauses.back().end = now_;
    }
    scheduler_.SetPaused(id, s.paused, Now());
  }

  void Close(SessionId id) {
    scheduler_.Close(id, Now());
    naive_.sessions.erase(id);
    fast_.erase(id);
  }

  std::mt19937 random_;
  Scheduler scheduler_;
  NaiveScheduler naive_;
  std::set<SessionId> fast_;
  SessionId last_id_ = 0;
  int64_t now_ = 1000;
};

class SchedulerProperty : public ::testing::TestWithParam<uint32_t> {};

TEST_P(SchedulerProperty, DecidesLikeTheNaiveModel) {
  Pair pair(GetParam());
  for (int i = 0; i < 20000 && !HasFatalFailure(); ++i) pair.Step();
  EXPECT_GT(pair.runs, 500);
  for (int64_t count : pair.verdicts) EXPECT_GT(count, 10);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerProperty, ::testing::Range(1u, 9u));

// Many sessions that all want the generator: nobody is starved, whatever the
// others' credit.
TEST(SchedulerFairness, OverloadIsSharedEvenly) {
  SchedulerOptions options = Options();
  options.max_sessions = 8;
  Scheduler scheduler(options);
  TaskParams params;
  params.chunk_duration = absl::Milliseconds(250);
  params.max_chunks = 100000;
  params.max_credit = 100000;
  params.max_outbox_chunks = 4;
  params.max_outbox_bytes = 1 << 20;
  absl::Time now = absl::UnixEpoch();
  for (SessionId id = 1; id <= 8; ++id) {
    ASSERT_TRUE(scheduler.Admit(id, params, now).ok());
    ASSERT_EQ(scheduler.Next(now).id, id);
    scheduler.Opened(id, now);
    ASSERT_TRUE(scheduler.AddCredit(id, 100000, now).ok());
  }
  int64_t runs[9] = {};
  for (int i = 0; i < 4000; ++i) {
    const Decision decision = scheduler.Next(now);
    ASSERT_EQ(decision.kind, Decision::Kind::kRun);
    now += absl::Milliseconds(200);
    scheduler.Generated(decision.id, now);
    scheduler.Completed(decision.id, 1, now);
    scheduler.WriteBegun(decision.id, true, now);
    scheduler.WriteDone(decision.id, now);
    scheduler.Sent(decision.id, 1, now);
    ++runs[decision.id];
  }
  for (SessionId id = 1; id <= 8; ++id) EXPECT_NEAR(runs[id], 500, 1) << id;
}

}  // namespace
}  // namespace qvg::testing
