#include "server/signals.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace qvg {
namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

void ExitAtOnce(int) { _exit(kExitForced); }

}  // namespace

void HoldSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool AwaitStop(absl::Duration timeout) {
  const sigset_t set = StopSignals();
  const timespec limit = absl::ToTimespec(timeout);
  return sigtimedwait(&set, nullptr, &limit) > 0;
}

void ForceOnNextSignal(absl::Duration limit) {
  for (int number : {SIGTERM, SIGINT, SIGALRM}) signal(number, ExitAtOnce);
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  alarm(
      static_cast<unsigned>(std::max<int64_t>(1, absl::ToInt64Seconds(limit))));
}

}  // namespace qvg
