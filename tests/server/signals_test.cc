#include "server/signals.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "gtest/gtest.h"

namespace qvg {
namespace {

class SignalsDeathTest : public ::testing::TestWithParam<int> {
 protected:
  SignalsDeathTest() { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

// The signal is held until it is asked for, and ends nothing.
void AwaitOne(int signal) {
  HoldSignals();
  if (AwaitStop(absl::Milliseconds(1))) std::_Exit(3);
  kill(getpid(), signal);
  std::_Exit(AwaitStop(absl::Seconds(20)) ? kExitClean : kExitFailed);
}

void AwaitTwo(int signal) {
  HoldSignals();
  kill(getpid(), signal);
  if (!AwaitStop(absl::Seconds(20))) std::_Exit(kExitFailed);
  ForceOnNextSignal(absl::Seconds(20));
  kill(getpid(), signal);
  while (true) pause();
}

TEST_P(SignalsDeathTest, TheFirstOneIsWaitedFor) {
  EXPECT_EXIT(AwaitOne(GetParam()), ::testing::ExitedWithCode(kExitClean), "");
}

TEST_P(SignalsDeathTest, TheSecondOneEndsTheProcess) {
  EXPECT_EXIT(AwaitTwo(GetParam()), ::testing::ExitedWithCode(kExitForced), "");
}

INSTANTIATE_TEST_SUITE_P(Both, SignalsDeathTest,
                         ::testing::Values(SIGTERM, SIGINT));

void WaitForTheLimit() {
  HoldSignals();
  ForceOnNextSignal(absl::Milliseconds(1));
  while (true) pause();
}

TEST(SignalLimitDeathTest, EndsTheProcess) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(WaitForTheLimit(), ::testing::ExitedWithCode(kExitForced), "");
}

}  // namespace
}  // namespace qvg
