#include "tests/server/scheduler/naive_scheduler.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace qvg::testing {

int64_t NaiveScheduler::Session::Deadline(int64_t chunk, int64_t now) const {
  int64_t deadline = start + chunk * chunk_ms;
  for (const Pause& pause : pauses) {
    const int64_t begin = std::max(pause.begin, start);
    const int64_t end = pause.end < 0 ? now : pause.end;
    if (end > begin && begin < deadline) deadline += end - begin;
  }
  return deadline;
}

void NaiveScheduler::Admit(SessionId id, const TaskParams& params) {
  sessions[id].params = params;
  sessions[id].chunk_ms = absl::ToInt64Milliseconds(params.chunk_duration);
}

void NaiveScheduler::Settle(Session& s, int64_t now) {
  const int64_t chunks = static_cast<int64_t>(s.outbox.size());
  const int64_t bytes =
      std::accumulate(s.outbox.begin(), s.outbox.end(), int64_t{0});
  if (chunks >= s.params.max_outbox_chunks ||
      bytes >= s.params.max_outbox_bytes) {
    s.blocked = true;
  }
  if (chunks <= s.params.max_outbox_chunks / 2 &&
      bytes <= s.params.max_outbox_bytes / 2) {
    s.blocked = false;
  }
  if (s.started == s.params.max_chunks) s.ended = true;
  s.facts.push_back({now, s.Ready(), s.granted > s.started, s.started});
  const bool active = s.started > s.generated || s.Wants();
  if (active && !s.was_active) {
    s.active_since = now;
    if (s.start >= 0) {
      s.slip = std::max(s.slip, now + s.chunk_ms - s.Deadline(s.started, now));
    }
  }
  s.was_active = active;
}

DeadlineState NaiveScheduler::Complete(Session& s, int64_t now) {
  const int64_t chunk = s.completed++;
  if (s.start < 0 || now <= s.Deadline(chunk, now)) return DeadlineState::kMet;
  const int64_t at = s.Deadline(chunk, now) - s.chunk_ms;
  bool feasible = false;
  for (const Session::Fact& fact : s.facts) {
    if (fact.at > at) break;
    feasible = fact.ready && (fact.credit || fact.started > chunk);
  }
  return feasible ? DeadlineState::kMissed : DeadlineState::kInfeasible;
}

Decision NaiveScheduler::Next(int64_t now) {
  Decision decision;
  std::pair<int64_t, int64_t> best_key;
  for (auto& [id, s] : sessions) {
    if (!s.opened && !s.opening && !s.ended) {
      s.opening = true;
      return {Decision::Kind::kOpen, id, 0, absl::ZeroDuration()};
    }
    const int64_t places =
        s.started - s.completed + static_cast<int64_t>(s.outbox.size());
    const bool fits = places < s.params.max_outbox_chunks;
    if (!s.Wants() || s.started > s.generated || !fits ||
        s.generated - s.completed >= 2) {
      continue;
    }
    const int64_t due =
        s.start < 0 ? s.active_since : s.Deadline(s.started, now) + s.slip;
    const std::pair<int64_t, int64_t> key(std::max(due, now - s.chunk_ms),
                                          s.turn);
    if (decision.kind != Decision::Kind::kNone && best_key <= key) continue;
    best_key = key;
    decision = {Decision::Kind::kRun, id, s.started, absl::ZeroDuration()};
  }
  if (decision.kind == Decision::Kind::kRun) {
    Session& s = sessions[decision.id];
    ++s.started;
    s.turn = ++turns_;
    Settle(s, now);
  }
  return decision;
}

}  // namespace qvg::testing
