#ifndef SERVER_SCHEDULER_PLAYBACK_CLOCK_H_
#define SERVER_SCHEDULER_PLAYBACK_CLOCK_H_

#include <cstdint>
#include <deque>

#include "absl/time/time.h"

namespace qvg {

enum class DeadlineState { kMet, kMissed, kInfeasible };
const char* ToString(DeadlineState state);

// How a complete chunk stands to its playback deadline.
struct DeadlineVerdict {
  DeadlineState state = DeadlineState::kMet;
  absl::Duration margin;  // from completion to deadline; positive: early
};

// The playback deadlines of one session. The deadline of chunk n is the time
// at which the first media was sent + n chunk durations, moved by the pauses
// that begin before it. It is feasible if one chunk duration before it the
// session was ready and had credit: open credit, or credit that the chunk has
// used up already. Time comes in as an argument and must not go back.
// Thread-compatible; bounded memory.
class PlaybackClock {
 public:
  explicit PlaybackClock(absl::Duration chunk_duration)
      : chunk_duration_(chunk_duration) {}

  // The first media is sent. Later calls have no effect.
  void Start(absl::Time now);
  bool started() const { return start_ != absl::InfinitePast(); }

  void SetPaused(bool paused, absl::Time now);

  // From `now` on: whether the session may generate, its open credit, and the
  // number of chunks that have used up theirs.
  void SetReady(bool ready, int64_t credit, int64_t started, absl::Time now);

  // Of a chunk that is not judged yet, as far as `now` can tell; the infinite
  // future before Start.
  absl::Time Deadline(int64_t chunk, absl::Time now) const;

  // The next chunk is complete; chunks complete in order. Before Start a chunk
  // is met with a margin of 0.
  DeadlineVerdict Judge(absl::Time now);

 private:
  // A pause that began `position` after Start, pauses not counted.
  struct Pause {
    absl::Duration position;
    absl::Duration length;
  };
  struct Change {
    absl::Time at;
    bool ready;
    bool credit;
    int64_t started;
  };

  bool WasReady(int64_t chunk, absl::Time at) const;
  void AddPause(absl::Duration position, absl::Duration length);
  void Forget(absl::Time now);

  absl::Duration chunk_duration_;
  absl::Time start_ = absl::InfinitePast();
  absl::Time paused_since_ = absl::InfinitePast();
  bool paused_ = false;
  int64_t next_ = 0;            // first chunk that is not judged
  absl::Duration shift_;        // pauses that move every deadline from next_
  absl::Duration total_pause_;  // all pauses since Start, shift_ included
  std::deque<Pause> pauses_;    // those behind the deadline of next_
  std::deque<Change> changes_;  // as far back as a verdict may look
};

}  // namespace qvg

#endif  // SERVER_SCHEDULER_PLAYBACK_CLOCK_H_
