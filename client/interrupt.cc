#include "client/interrupt.h"

#include <unistd.h>

#include <utility>

namespace qvg {
namespace {

// Tells the watcher's own thread to end.
constexpr int kQuitSignal = SIGUSR2;

}  // namespace

InterruptWatcher::InterruptWatcher() {
  sigemptyset(&signals_);
  for (int signal : {SIGINT, SIGTERM, kQuitSignal}) {
    sigaddset(&signals_, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals_, &old_mask_);
  thread_ = std::thread([this] { Run(); });
}

InterruptWatcher::~InterruptWatcher() {
  pthread_kill(thread_.native_handle(), kQuitSignal);
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

void InterruptWatcher::SetHandler(std::function<void(int)> handler) {
  absl::MutexLock lock(&mutex_);
  handler_ = std::move(handler);
}

void InterruptWatcher::Run() {
  for (;;) {
    int signal = 0;
    sigwait(&signals_, &signal);
    if (signal == kQuitSignal) return;
    absl::MutexLock lock(&mutex_);
    if (handler_ == nullptr) _exit(kInterruptedExitCode);
    handler_(++count_);
  }
}

}  // namespace qvg
