#ifndef SERVER_SCHEDULER_TASK_H_
#define SERVER_SCHEDULER_TASK_H_

#include <cstdint>
#include <optional>
#include <tuple>

#include "absl/time/time.h"
#include "server/scheduler/life_state.h"
#include "server/scheduler/playback_clock.h"

namespace qvg {

using SessionId = int64_t;

// Why a session ends.
enum class EndReason {
  kStopped,       // Stop, or end of input with all credit served
  kCompleted,     // max_chunks generated
  kClosed,        // by an operator
  kDraining,      // the server goes
  kTooOld,        // longer than the session time
  kIdle,          // waited untouched for the idle time
  kWriteStalled,  // the client did not accept a write in time
  kFailed,        // model, encoder or memory
};
const char* ToString(EndReason reason);

// Bounds of one session. When its outbox, the complete chunks that are not yet
// written, is at either limit, the session waits until both are down to half.
// Chunks under way have their place in the outbox reserved.
struct TaskParams {
  absl::Duration chunk_duration;
  int64_t max_chunks = 0;
  int64_t max_credit = 0;
  int64_t max_outbox_chunks = 0;
  int64_t max_outbox_bytes = 0;
};

// What the scheduler knows about one session. Written by Scheduler only.
struct Task {
  Task(const TaskParams& task_params, absl::Time now)
      : params(task_params),
        clock(task_params.chunk_duration),
        admitted(now),
        touched(now) {}

  TaskParams params;
  PlaybackClock clock;
  LifeState state = LifeState::kOpening;
  int64_t credit = 0;   // open
  int64_t started = 0;  // chunks given to the generator
  int64_t generated = 0;
  int64_t completed = 0;
  int64_t outbox_chunks = 0;
  int64_t outbox_bytes = 0;
  bool opening = false;  // under way, as is a chunk if started > generated
  bool opened = false;
  bool paused = false;
  bool blocked = false;  // the outbox was full and is not yet half empty
  bool input_closed = false;
  bool ending_taken = false;
  bool stall_taken = false;
  std::optional<EndReason> end;  // no chunk starts any more
  absl::Time admitted;
  absl::Time touched;
  absl::Time ready_since;   // of the chunk that is next
  absl::Time active_since;  // of the present run of kActive
  absl::Time last_completed = absl::InfinitePast();
  std::optional<absl::Time> writing_since;
  absl::Duration slip;  // by which own stalls moved the schedule
  int64_t turn = 0;     // of the last run, over all sessions

  bool generating() const { return started > generated; }
  bool under_way() const { return opening || started > completed; }
  // May generate as far as the client and its outbox are concerned.
  bool ready() const { return opened && !paused && !blocked && !end; }
  bool wants_chunk() const {
    return ready() && credit > 0 && started < params.max_chunks;
  }
  // wants_chunk, and the generator and the encoder have room for it.
  bool runnable() const;

  // Nearest first: (due time, turn).
  std::tuple<absl::Time, int64_t> Priority(absl::Time now) const;

  // Brings blocked, end, state and clock in line after any change.
  void Settle(absl::Time now);

 private:
  void SettleOutbox();
  void SettleEnd();
  void SettleState(absl::Time now);
};

}  // namespace qvg

#endif  // SERVER_SCHEDULER_TASK_H_
