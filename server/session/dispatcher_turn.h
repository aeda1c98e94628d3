#ifndef SERVER_SESSION_DISPATCHER_TURN_H_
#define SERVER_SESSION_DISPATCHER_TURN_H_

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/session/dispatcher.h"

namespace qvg {

// One event: holds the lock, and lets the sessions that it concerns know when
// it is over.
class ABSL_SCOPED_LOCKABLE Dispatcher::Turn {
 public:
  explicit Turn(Dispatcher* dispatcher)
      ABSL_EXCLUSIVE_LOCK_FUNCTION(dispatcher->mu_)
      : dispatcher_(dispatcher) {
    dispatcher_->mu_.Lock();
    now_ = dispatcher_->clock_();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() ABSL_UNLOCK_FUNCTION() {
    const auto wakers = dispatcher_->Settle(now_);
    dispatcher_->mu_.Unlock();
    for (const auto& waker : wakers) waker();
  }

  absl::Time now() const { return now_; }

 private:
  Dispatcher* dispatcher_;
  absl::Time now_;
};

}  // namespace qvg

#endif  // SERVER_SESSION_DISPATCHER_TURN_H_
