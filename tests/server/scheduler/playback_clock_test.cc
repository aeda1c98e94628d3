#include "server/scheduler/playback_clock.h"

#include "gtest/gtest.h"

namespace qvg {
namespace {

constexpr absl::Duration kChunk = absl::Milliseconds(250);

absl::Time At(int64_t ms) { return absl::UnixEpoch() + absl::Milliseconds(ms); }

int64_t Ms(absl::Time time) {
  return absl::ToInt64Milliseconds(time - absl::UnixEpoch());
}

// A clock that was ready all along and started at 1,000 ms.
PlaybackClock Started() {
  PlaybackClock clock(kChunk);
  clock.SetReady(true, 100, 0, At(0));
  clock.Start(At(1000));
  return clock;
}

TEST(PlaybackClock, NothingIsDueBeforeTheFirstMedia) {
  PlaybackClock clock(kChunk);
  EXPECT_EQ(clock.Deadline(3, At(50)), absl::InfiniteFuture());
  const DeadlineVerdict verdict = clock.Judge(At(5000));
  EXPECT_EQ(verdict.state, DeadlineState::kMet);
  EXPECT_EQ(verdict.margin, absl::ZeroDuration());
}

TEST(PlaybackClock, DeadlinesAreOneChunkDurationApart) {
  PlaybackClock clock = Started();
  clock.Start(At(9999));
  EXPECT_EQ(Ms(clock.Deadline(0, At(1000))), 1000);
  EXPECT_EQ(Ms(clock.Deadline(4, At(1000))), 2000);
}

TEST(PlaybackClock, AChunkAtItsDeadlineIsMetAndOneLaterIsMissed) {
  PlaybackClock clock = Started();
  clock.Judge(At(1000));
  EXPECT_EQ(clock.Judge(At(1250)).state, DeadlineState::kMet);
  const DeadlineVerdict late = clock.Judge(At(1501));
  EXPECT_EQ(late.state, DeadlineState::kMissed);
  EXPECT_EQ(late.margin, absl::Milliseconds(-1));
}

TEST(PlaybackClock, NoCreditOneDurationBeforeMakesItInfeasible) {
  PlaybackClock clock = Started();
  clock.SetReady(true, 0, 1, At(1001));  // chunk 0 has used up the last one
  clock.SetReady(true, 1, 1, At(1260));
  clock.Judge(At(1001));
  EXPECT_EQ(clock.Judge(At(1300)).state, DeadlineState::kMissed)
      << "had credit at 1,000";
  EXPECT_EQ(clock.Judge(At(1600)).state, DeadlineState::kInfeasible)
      << "had none at 1,250";
  EXPECT_EQ(clock.Judge(At(1800)).state, DeadlineState::kMissed)
      << "had credit at 1,500";
}

TEST(PlaybackClock, AChunkThatIsBeingMadeHasHadItsCredit) {
  PlaybackClock clock = Started();
  clock.Judge(At(1000));
  clock.SetReady(true, 0, 2, At(1000));
  EXPECT_EQ(clock.Judge(At(1300)).state, DeadlineState::kMissed);
  EXPECT_EQ(clock.Judge(At(1600)).state, DeadlineState::kInfeasible);
}

// A client that always keeps a few chunks of credit open has done its part,
// however far behind the server is.
TEST(PlaybackClock, ASlowServerIsToBlameForItself) {
  PlaybackClock clock = Started();
  for (int64_t chunk = 0; chunk < 4000; ++chunk) {
    const absl::Time now = At(1000 + 2000 * chunk);
    clock.SetReady(true, 2, chunk + 1, now);
    const DeadlineState state = clock.Judge(now).state;
    EXPECT_EQ(state, chunk == 0 ? DeadlineState::kMet : DeadlineState::kMissed);
  }
}

TEST(PlaybackClock, NotReadyOneDurationBeforeMakesItInfeasible) {
  PlaybackClock clock = Started();
  clock.Judge(At(1000));
  clock.Judge(At(1100));
  clock.SetReady(false, 100, 0, At(1200));
  clock.SetReady(true, 100, 0, At(1251));
  EXPECT_EQ(clock.Judge(At(1700)).state, DeadlineState::kInfeasible);
  EXPECT_EQ(clock.Judge(At(1800)).state, DeadlineState::kMissed);
}

TEST(PlaybackClock, APauseMovesTheDeadlinesBehindIt) {
  PlaybackClock clock = Started();
  clock.SetPaused(true, At(1300));
  EXPECT_EQ(Ms(clock.Deadline(1, At(1400))), 1250);
  EXPECT_EQ(Ms(clock.Deadline(2, At(1400))), 1600) << "while it lasts";
  clock.SetPaused(false, At(2300));
  EXPECT_EQ(Ms(clock.Deadline(1, At(2300))), 1250);
  EXPECT_EQ(Ms(clock.Deadline(2, At(2300))), 2500);
  EXPECT_EQ(Ms(clock.Deadline(3, At(2300))), 2750);
}

TEST(PlaybackClock, PausesAddUpAndOutliveTheVerdicts) {
  PlaybackClock clock = Started();
  clock.SetPaused(true, At(1100));
  clock.SetPaused(false, At(1200));
  for (int i = 0; i < 4; ++i) clock.Judge(At(1201));
  clock.SetPaused(true, At(1300));
  clock.SetPaused(false, At(1350));
  EXPECT_EQ(Ms(clock.Deadline(4, At(1350))), 2000 + 100 + 50);
}

TEST(PlaybackClock, APauseAtTheDeadlineComesTooLateToMoveIt) {
  PlaybackClock clock = Started();
  clock.SetPaused(true, At(1250));
  clock.SetPaused(false, At(1350));
  EXPECT_EQ(Ms(clock.Deadline(1, At(1350))), 1250);
  EXPECT_EQ(Ms(clock.Deadline(2, At(1350))), 1600);
}

TEST(PlaybackClock, APauseBeforeTheFirstMediaCountsFromThere) {
  PlaybackClock clock(kChunk);
  clock.SetPaused(true, At(0));
  clock.Start(At(1000));
  EXPECT_EQ(Ms(clock.Deadline(1, At(1100))), 1350);
  clock.SetPaused(false, At(1200));
  EXPECT_EQ(Ms(clock.Deadline(1, At(1200))), 1450);
}

TEST(PlaybackClock, AClientThatPlaysWithTheSwitchesCostsBoundedMemory) {
  PlaybackClock clock = Started();
  for (int i = 0; i < 100000; ++i) {
    clock.SetPaused(true, At(1001 + 2 * i));
    clock.SetReady(false, 100, 0, At(1001 + 2 * i));
    clock.SetPaused(false, At(1002 + 2 * i));
    clock.SetReady(true, 100, 0, At(1002 + 2 * i));
  }
  EXPECT_EQ(clock.Judge(At(500000)).state, DeadlineState::kInfeasible);
  EXPECT_EQ(clock.Judge(At(500000)).state, DeadlineState::kInfeasible);
}

}  // namespace
}  // namespace qvg
