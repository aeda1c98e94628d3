#ifndef SERVER_SCHEDULER_SCHEDULER_H_
#define SERVER_SCHEDULER_SCHEDULER_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/scheduler/life_state.h"
#include "server/scheduler/playback_clock.h"
#include "server/scheduler/task.h"

namespace qvg {

struct SchedulerOptions {
  int max_sessions = 0;
  absl::Duration session_time;      // a session ends when so old
  absl::Duration idle_time;         // ... or waits so long untouched
  absl::Duration write_stall_time;  // ... or a write takes so long

  // INVALID_ARGUMENT names the field that is not positive.
  absl::Status Validate() const;
};

// What the generator should do next.
struct Decision {
  enum class Kind { kNone, kOpen, kRun };
  Kind kind = Kind::kNone;
  SessionId id = 0;
  int64_t chunk = 0;     // kRun: its index
  absl::Duration queue;  // kRun: how long the session was ready for it
};

// A session that generates no more. Given once, when no chunk of it is under
// way; after kWriteStalled, which does not wait, there may still be one.
struct Ending {
  SessionId id = 0;
  EndReason reason = EndReason::kStopped;
};

// Decides who generates. A state machine without threads, clocks or I/O: the
// same events give the same decisions. `now` never goes back. Events for an
// unknown id are ignored: they may cross its Close. Thread-compatible.
//
// Of the sessions that are active and not generating, the one whose deadline
// is nearest goes first. A deadline that the client's own stall made
// infeasible counts as one chunk duration after the stall, so that nobody
// catches up at the cost of others; sessions that are late by more than a
// chunk go in turn, so that overload starves nobody.
class Scheduler {
 public:
  explicit Scheduler(const SchedulerOptions& options) : options_(options) {}

  // A new session in kOpening. UNAVAILABLE while draining; RESOURCE_EXHAUSTED
  // with the limit when there are max_sessions.
  absl::Status Admit(SessionId id, const TaskParams& params, absl::Time now);
  // Its first state is made.
  void Opened(SessionId id, absl::Time now);

  // INVALID_ARGUMENT names a credit of less than 1 or over the limit.
  absl::Status AddCredit(SessionId id, int64_t chunks, absl::Time now);
  void SetPaused(SessionId id, bool paused, absl::Time now);
  // The client gave a sign of life.
  void Touch(SessionId id, absl::Time now);
  // No more input: what has credit is generated, then the session ends.
  void InputClosed(SessionId id, absl::Time now);

  // The chunk of a kRun has left the generator.
  void Generated(SessionId id, absl::Time now);
  // The oldest generated chunk is complete: `bytes` of media are in the outbox.
  DeadlineVerdict Completed(SessionId id, int64_t bytes, absl::Time now);
  // A chunk of `bytes` has left the outbox.
  void Sent(SessionId id, int64_t bytes, absl::Time now);
  // A write is handed to the transport, and accepted by it.
  void WriteBegun(SessionId id, bool has_media, absl::Time now);
  void WriteDone(SessionId id, absl::Time now);

  // No chunk after the one under way; the first reason counts.
  void End(SessionId id, EndReason reason, absl::Time now);
  // Refuses sessions from now on and ends the ones there are.
  void Drain(absl::Time now);
  // The session is gone.
  void Close(SessionId id, absl::Time now);

  // The generator is free. kRun and kOpen take effect at once.
  Decision Next(absl::Time now);
  // Timers that ran out included: to be asked after every event, and as time
  // goes by.
  std::vector<Ending> TakeEndings(absl::Time now);

  bool draining() const { return draining_; }
  int sessions() const { return static_cast<int>(tasks_.size()); }
  std::array<int, kLifeStates> CountByState() const;
  // Null if unknown. Valid until the next event.
  const Task* Find(SessionId id) const;

 private:
  template <typename Change>
  void Update(SessionId id, absl::Time now, const Change& change);
  void CheckTimers(Task& task, absl::Time now) const;

  const SchedulerOptions options_;
  absl::btree_map<SessionId, Task> tasks_;
  int64_t turns_ = 0;
  bool draining_ = false;
};

}  // namespace qvg

#endif  // SERVER_SCHEDULER_SCHEDULER_H_
