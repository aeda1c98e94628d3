#ifndef CLIENT_INTERRUPT_H_
#define CLIENT_INTERRUPT_H_

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace qvg {

// Exit code of a program that SIGINT ended, as shells have it.
inline constexpr int kInterruptedExitCode = 130;

// Turns SIGINT and SIGTERM into calls. Make one before any other thread, so
// that all of them leave the signals to it.
class InterruptWatcher {
 public:
  InterruptWatcher();
  ~InterruptWatcher();
  InterruptWatcher(const InterruptWatcher&) = delete;
  InterruptWatcher& operator=(const InterruptWatcher&) = delete;

  // `handler` is called on a thread of its own with 1 for the first signal, 2
  // for the second and so on, never after SetHandler has replaced it. Without
  // one (null) a signal ends the process.
  void SetHandler(std::function<void(int)> handler);

  // Signals so far.
  int count() const { return count_; }

 private:
  void Run();

  std::atomic<int> count_ = 0;
  sigset_t signals_;
  sigset_t old_mask_;
  absl::Mutex mutex_;
  std::function<void(int)> handler_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace qvg

#endif  // CLIENT_INTERRUPT_H_
