#include "server/scheduler/life_state.h"

#include <set>
#include <utility>

#include "gtest/gtest.h"

namespace qvg {
namespace {

using enum LifeState;

TEST(LifeState, OnlyTheListedTransitionsAreLegal) {
  const std::set<std::pair<LifeState, LifeState>> legal = {
      {kOpening, kActive}, {kOpening, kWaiting}, {kOpening, kClosed},
      {kActive, kWaiting}, {kActive, kClosed},   {kWaiting, kActive},
      {kWaiting, kClosed}};
  for (LifeState from : {kOpening, kActive, kWaiting, kClosed}) {
    for (LifeState to : {kOpening, kActive, kWaiting, kClosed}) {
      EXPECT_EQ(IsLegal(from, to), legal.contains({from, to}))
          << ToString(from) << " to " << ToString(to);
    }
  }
}

TEST(LifeState, TransitionMoves) {
  LifeState state = kOpening;
  Transition(kWaiting, &state);
  Transition(kActive, &state);
  Transition(kClosed, &state);
  EXPECT_EQ(state, kClosed);
}

TEST(LifeStateDeathTest, AnIllegalTransitionEndsTheProcess) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  LifeState state = kClosed;
  EXPECT_DEATH(Transition(kActive, &state), "closed to active");
}

}  // namespace
}  // namespace qvg
