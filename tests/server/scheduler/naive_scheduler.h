#ifndef TESTS_SERVER_SCHEDULER_NAIVE_SCHEDULER_H_
#define TESTS_SERVER_SCHEDULER_NAIVE_SCHEDULER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "server/scheduler/scheduler.h"

namespace qvg::testing {

// What Scheduler promises, said in the plainest way: every session keeps all
// that ever happened to it, and every answer is worked out from that. Times
// are milliseconds.
class NaiveScheduler {
 public:
  struct Session {
    struct Pause {
      int64_t begin, end;  // end < 0: it lasts
    };
    struct Fact {  // holds from `at` on
      int64_t at;
      bool ready;
      bool credit;
      int64_t started;
    };
    TaskParams params;
    int64_t chunk_ms = 0;
    int64_t start = -1;  // first media
    std::vector<Pause> pauses;
    std::vector<Fact> facts;
    int64_t granted = 0, started = 0, generated = 0, completed = 0;
    std::deque<int64_t> outbox;  // bytes of each complete chunk
    bool opening = false, opened = false, paused = false, blocked = false;
    bool ended = false;
    bool was_active = false;
    int64_t active_since = 0, slip = 0, turn = 0;

    int64_t Deadline(int64_t chunk, int64_t now) const;
    bool Ready() const { return opened && !paused && !blocked && !ended; }
    bool Wants() const {
      return Ready() && granted > started && started < params.max_chunks;
    }
  };

  void Admit(SessionId id, const TaskParams& params);
  // After any change of a session.
  void Settle(Session& session, int64_t now);
  DeadlineState Complete(Session& session, int64_t now);
  Decision Next(int64_t now);

  std::map<SessionId, Session> sessions;

 private:
  int64_t turns_ = 0;
};

}  // namespace qvg::testing

#endif  // TESTS_SERVER_SCHEDULER_NAIVE_SCHEDULER_H_
