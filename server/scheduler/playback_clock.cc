#include "server/scheduler/playback_clock.h"

#include <algorithm>

namespace qvg {
namespace {

// More of either within one late chunk is a client that plays with the
// switch; what is forgotten counts in no one's favour but the server's.
constexpr size_t kMaxPauses = 64;
constexpr size_t kMaxChanges = 256;

}  // namespace

const char* ToString(DeadlineState state) {
  static constexpr const char* kNames[] = {"met", "missed", "infeasible"};
  return kNames[static_cast<int>(state)];
}

void PlaybackClock::Start(absl::Time now) {
  if (started()) return;
  start_ = now;
  if (paused_) paused_since_ = now;
}

void PlaybackClock::SetPaused(bool paused, absl::Time now) {
  if (paused == paused_) return;
  if (paused) {
    paused_since_ = now;
  } else if (started()) {
    AddPause(paused_since_ - start_ - total_pause_, now - paused_since_);
  }
  paused_ = paused;
}

void PlaybackClock::AddPause(absl::Duration position, absl::Duration length) {
  total_pause_ += length;
  if (position < next_ * chunk_duration_) {
    shift_ += length;
  } else if (pauses_.size() < kMaxPauses) {
    pauses_.push_back({position, length});
  } else {
    pauses_.back().length += length;
  }
}

void PlaybackClock::SetReady(bool ready, int64_t credit, int64_t started,
                             absl::Time now) {
  // With open credit the rest does not matter, and the log stays short.
  const Change change = {now, ready, credit > 0, credit > 0 ? 0 : started};
  if (!changes_.empty() && changes_.back().ready == change.ready &&
      changes_.back().credit == change.credit &&
      changes_.back().started == change.started) {
    return;
  }
  if (!this->started()) changes_.clear();  // nothing is due yet
  if (!changes_.empty() && changes_.back().at == now) changes_.pop_back();
  changes_.push_back(change);
  if (changes_.size() > kMaxChanges) changes_.pop_front();
}

absl::Time PlaybackClock::Deadline(int64_t chunk, absl::Time now) const {
  if (!started()) return absl::InfiniteFuture();
  const absl::Duration position = chunk * chunk_duration_;
  absl::Time deadline = start_ + position + shift_;
  for (const Pause& pause : pauses_) {
    if (pause.position < position) deadline += pause.length;
  }
  if (paused_ && paused_since_ - start_ - total_pause_ < position) {
    deadline += now - paused_since_;
  }
  return deadline;
}

bool PlaybackClock::WasReady(int64_t chunk, absl::Time at) const {
  const auto after = std::find_if(changes_.begin(), changes_.end(),
                                  [&](const Change& c) { return c.at > at; });
  if (after == changes_.begin()) return false;
  const Change& change = *std::prev(after);
  return change.ready && (change.credit || change.started > chunk);
}

DeadlineVerdict PlaybackClock::Judge(absl::Time now) {
  const int64_t chunk = next_++;
  if (!started()) return {};
  const absl::Time deadline = Deadline(chunk, now);
  DeadlineVerdict verdict;
  verdict.margin = deadline - now;
  if (now > deadline) {
    verdict.state = WasReady(chunk, deadline - chunk_duration_)
                        ? DeadlineState::kMissed
                        : DeadlineState::kInfeasible;
  }
  Forget(now);
  return verdict;
}

void PlaybackClock::Forget(absl::Time now) {
  while (!pauses_.empty() &&
         pauses_.front().position < next_ * chunk_duration_) {
    shift_ += pauses_.front().length;
    pauses_.pop_front();
  }
  const absl::Time horizon = Deadline(next_, now) - chunk_duration_;
  while (changes_.size() > 1 && changes_[1].at <= horizon) {
    changes_.pop_front();
  }
}

}  // namespace qvg
