#include "server/scheduler/task.h"

#include <algorithm>

namespace qvg {
namespace {

// Chunks of one session that may wait for the encoder: one in its hands and
// one behind it.
constexpr int64_t kMaxEncoding = 2;

}  // namespace

const char* ToString(EndReason reason) {
  static constexpr const char* kNames[] = {
      "stopped", "completed", "closed",        "draining",
      "too_old", "idle",      "write_stalled", "failed"};
  return kNames[static_cast<int>(reason)];
}

bool Task::runnable() const {
  return wants_chunk() && !generating() &&
         generated - completed < kMaxEncoding &&
         started - completed + outbox_chunks < params.max_outbox_chunks;
}

std::tuple<absl::Time, int64_t> Task::Priority(absl::Time now) const {
  const absl::Time due =
      clock.started() ? clock.Deadline(started, now) + slip : active_since;
  return {std::max(due, now - params.chunk_duration), turn};
}

void Task::Settle(absl::Time now) {
  SettleOutbox();
  SettleEnd();
  SettleState(now);
  clock.SetReady(ready(), credit, started, now);
}

void Task::SettleOutbox() {
  if (outbox_chunks >= params.max_outbox_chunks ||
      outbox_bytes >= params.max_outbox_bytes) {
    blocked = true;
  } else if (outbox_chunks <= params.max_outbox_chunks / 2 &&
             outbox_bytes <= params.max_outbox_bytes / 2) {
    blocked = false;
  }
}

void Task::SettleEnd() {
  if (end) return;
  if (started == params.max_chunks) {
    end = EndReason::kCompleted;
  } else if (input_closed && (credit == 0 || paused)) {
    end = EndReason::kStopped;
  }
}

void Task::SettleState(absl::Time now) {
  if (!opened && !end) return;
  const LifeState next =
      generating() || wants_chunk() ? LifeState::kActive : LifeState::kWaiting;
  if (next == state) return;
  Transition(next, &state);
  if (next != LifeState::kActive) return;
  active_since = ready_since = now;
  if (clock.started()) {
    const absl::Time due = clock.Deadline(started, now);
    slip = std::max(slip, now + params.chunk_duration - due);
  }
}

}  // namespace qvg
