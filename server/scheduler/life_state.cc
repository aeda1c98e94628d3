#include "server/scheduler/life_state.h"

#include <cstdio>
#include <cstdlib>

namespace qvg {

const char* ToString(LifeState state) {
  static constexpr const char* kNames[kLifeStates] = {"opening", "active",
                                                      "waiting", "closed"};
  return kNames[static_cast<int>(state)];
}

bool IsLegal(LifeState from, LifeState to) {
  switch (from) {
    case LifeState::kOpening:
      return to != LifeState::kOpening;
    case LifeState::kActive:
      return to == LifeState::kWaiting || to == LifeState::kClosed;
    case LifeState::kWaiting:
      return to == LifeState::kActive || to == LifeState::kClosed;
    case LifeState::kClosed:
      return false;
  }
  return false;
}

void Transition(LifeState to, LifeState* state) {
  if (!IsLegal(*state, to)) {
    std::fprintf(stderr, "illegal transition of a session: %s to %s\n",
                 ToString(*state), ToString(to));
    std::abort();
  }
  *state = to;
}

}  // namespace qvg
