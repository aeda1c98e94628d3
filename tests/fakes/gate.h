#ifndef TESTS_FAKES_GATE_H_
#define TESTS_FAKES_GATE_H_

#include "absl/time/time.h"
#include "cache/mutex.h"

namespace qvg::testing {

// Lets a test decide how far another thread may go. Open at first.
// Thread-safe.
class Gate {
 public:
  // Waits until the gate is open or a pass is left.
  void Pass() {
    MutexLock lock(&mu_);
    ++waiting_;
    changed_.SignalAll();
    while (!MayPass()) changed_.Wait(&mu_);
    --waiting_;
    if (!open_) --passes_;
  }

  void Close() {
    MutexLock lock(&mu_);
    open_ = false;
    passes_ = 0;
  }
  void Open() {
    MutexLock lock(&mu_);
    open_ = true;
    changed_.SignalAll();
  }
  // While closed: lets `count` more pass.
  void Let(int count) {
    MutexLock lock(&mu_);
    passes_ += count;
    changed_.SignalAll();
  }

  // Waits until somebody stands before the closed gate; false after a time
  // that no correct program needs.
  bool AwaitWaiting() {
    MutexLock lock(&mu_);
    while (waiting_ == 0 || MayPass()) {
      if (!changed_.WaitWithTimeout(&mu_, absl::Seconds(20))) return false;
    }
    return true;
  }

 private:
  bool MayPass() const { return open_ || passes_ > 0; }

  Mutex mu_;
  CondVar changed_;
  bool open_ = true;
  int passes_ = 0;
  int waiting_ = 0;
};

}  // namespace qvg::testing

#endif  // TESTS_FAKES_GATE_H_
