#include "server/scheduler/scheduler.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;

SchedulerOptions Options() {
  SchedulerOptions options;
  options.max_sessions = 2;
  options.session_time = absl::Hours(1);
  options.idle_time = absl::Minutes(1);
  options.write_stall_time = absl::Seconds(20);
  return options;
}

TaskParams Params() {
  TaskParams params;
  params.chunk_duration = absl::Milliseconds(250);
  params.max_chunks = 100;
  params.max_credit = 16;
  params.max_outbox_chunks = 4;
  params.max_outbox_bytes = 1000;
  return params;
}

const absl::Time kStart = absl::UnixEpoch();

TEST(SchedulerOptions, ValidateNamesTheField) {
  EXPECT_TRUE(Options().Validate().ok());
  SchedulerOptions options = Options();
  options.max_sessions = 0;
  EXPECT_THAT(options.Validate().message(), HasSubstr("max_sessions"));
  options = Options();
  options.idle_time = absl::ZeroDuration();
  EXPECT_THAT(options.Validate().message(), HasSubstr("idle_time"));
}

TEST(Scheduler, RefusesSessionsOverTheLimitWithTheFigures) {
  Scheduler scheduler(Options());
  EXPECT_TRUE(scheduler.Admit(1, Params(), kStart).ok());
  EXPECT_TRUE(scheduler.Admit(2, Params(), kStart).ok());
  const absl::Status refused = scheduler.Admit(3, Params(), kStart);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("the limit is 2"));
  scheduler.Close(1, kStart);
  EXPECT_TRUE(scheduler.Admit(3, Params(), kStart).ok());
}

TEST(Scheduler, RefusesSessionsWhileDraining) {
  Scheduler scheduler(Options());
  scheduler.Drain(kStart);
  EXPECT_EQ(scheduler.Admit(1, Params(), kStart).code(),
            absl::StatusCode::kUnavailable);
}

TEST(Scheduler, CreditOverTheLimitIsRefusedAndChangesNothing) {
  Scheduler scheduler(Options());
  ASSERT_TRUE(scheduler.Admit(1, Params(), kStart).ok());
  EXPECT_TRUE(scheduler.AddCredit(1, 16, kStart).ok());
  const absl::Status over = scheduler.AddCredit(1, 1, kStart);
  EXPECT_EQ(over.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(over.message(), HasSubstr("credit.chunks: 1 added to 16"));
  EXPECT_THAT(over.message(), HasSubstr("limit of 16"));
  EXPECT_EQ(scheduler.Find(1)->credit, 16);
  EXPECT_THAT(scheduler.AddCredit(1, 0, kStart).message(),
              HasSubstr("not at least 1"));
  EXPECT_THAT(scheduler.AddCredit(1, int64_t{1} << 62, kStart).message(),
              HasSubstr("over the limit"));
}

TEST(Scheduler, IgnoresEventsOfSessionsThatAreGone) {
  Scheduler scheduler(Options());
  ASSERT_TRUE(scheduler.Admit(1, Params(), kStart).ok());
  scheduler.Opened(1, kStart);
  ASSERT_TRUE(scheduler.AddCredit(1, 1, kStart).ok());
  EXPECT_EQ(scheduler.Next(kStart).kind, Decision::Kind::kRun);
  scheduler.Close(1, kStart);
  scheduler.Close(1, kStart);
  scheduler.Generated(1, kStart);
  EXPECT_EQ(scheduler.Completed(1, 9, kStart).state, DeadlineState::kMet);
  EXPECT_TRUE(scheduler.AddCredit(1, 1, kStart).ok());
  EXPECT_EQ(scheduler.Find(1), nullptr);
  EXPECT_EQ(scheduler.Next(kStart).kind, Decision::Kind::kNone);
  EXPECT_TRUE(scheduler.TakeEndings(kStart).empty());
}

TEST(Scheduler, CountsByState) {
  Scheduler scheduler(Options());
  ASSERT_TRUE(scheduler.Admit(1, Params(), kStart).ok());
  ASSERT_TRUE(scheduler.Admit(2, Params(), kStart).ok());
  scheduler.Opened(2, kStart);
  EXPECT_THAT(scheduler.CountByState(), testing::ElementsAre(1, 0, 1, 0));
  ASSERT_TRUE(scheduler.AddCredit(2, 1, kStart).ok());
  EXPECT_THAT(scheduler.CountByState(), testing::ElementsAre(1, 1, 0, 0));
}

}  // namespace
}  // namespace qvg
