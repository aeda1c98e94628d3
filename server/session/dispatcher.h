#ifndef SERVER_SESSION_DISPATCHER_H_
#define SERVER_SESSION_DISPATCHER_H_

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cache/mutex.h"
#include "server/metrics/metrics.h"
#include "server/scheduler/scheduler.h"
#include "server/session/clock.h"
#include "server/session/messages.h"
#include "server/session/session.h"

namespace qvg {

// What the generator is to do next, outside the lock.
struct GeneratorWork {
  enum class Kind { kOpen, kRun };
  Kind kind = Kind::kOpen;
  std::shared_ptr<Session> session;  // shared with the table: may be closed
  int64_t chunk = 0;
  absl::Duration queue;
  ChunkInputs inputs;
};

// A chunk on its way from the generator to the outbox, or the end of a
// session's way: then `rgb` is empty and nothing of the session follows.
struct EncodeJob {
  std::shared_ptr<Session> session;  // shared with the table: may be closed
  ChunkInputs inputs;
  PoolBuffer rgb;      // [frames,height,width,3]
  ChunkReport report;  // what is known before encoding
};

// One line of a list of sessions.
struct SessionSummary {
  std::string name;
  std::string state;
  int64_t chunks = 0;
  int64_t frames = 0;
  int64_t credit = 0;
  int64_t outbox_chunks = 0;
  int64_t outbox_bytes = 0;
  KindBytes held{};
  HistoryBytes history;
  absl::Duration age;
};

// The one lock of the session layer, and what it guards: the scheduler, the
// table of sessions and the queues of the encoders. Clients, writers, the
// generator, the encoders and the timer meet here, each for a moment: nobody
// computes, does I/O or calls out under the lock. Wakers are called after it.
// Thread-safe.
class Dispatcher {
 public:
  // `metrics` outlives the dispatcher.
  Dispatcher(const SchedulerOptions& options, int encoders, Clock clock,
             Metrics* metrics);

  // RESOURCE_EXHAUSTED or UNAVAILABLE as Scheduler::Admit has it; then the
  // session is not in the table.
  absl::Status Add(std::shared_ptr<Session> session, int64_t first_credit);
  // The call is over; the chunk under way ends early.
  void Remove(Session& session);

  // From the client. After an error the session has failed with it.
  void Action(Session& session, const ActionRequest& action);
  void Prompt(Session& session, const PromptRequest& prompt);
  void AddCredit(Session& session, int64_t chunks);
  void Ack(Session& session, uint64_t chunk);
  void Ping(Session& session, uint64_t nonce);
  void SetPaused(Session& session, bool paused);
  void Stop(Session& session);
  void InputClosed(Session& session);
  // The client broke a rule of the protocol.
  void Fail(Session& session, absl::Status status);

  // For the writer, one message at a time; never waits.
  WriterStep NextStep(Session& session);
  void Written(Session& session);
  // Whether a write that does not end should be cut off.
  bool Aborted(const Session& session) const;

  // For the generator: waits for work, and takes what else there is by then,
  // up to `most` works of different sessions, the nearest deadline first; none
  // after Shutdown. Each of them is answered by one of the three below.
  std::vector<GeneratorWork> WaitForWork(int most);
  void Opened(Session& session,
              absl::StatusOr<std::unique_ptr<SessionState>> state);
  void Generated(EncodeJob job);
  void GenerateFailed(Session& session, absl::Status status);

  // For encoder `encoder`: waits; nothing after Shutdown. The chunks of one
  // session go to one encoder, in order.
  std::optional<EncodeJob> WaitForEncodeJob(int encoder);
  void Completed(Session& session, OutboxChunk chunk);
  void EncodeFailed(Session& session, absl::Status status);

  // Looks at the timers.
  void Tick();
  // NOT_FOUND if there is none of that name.
  absl::Status Close(absl::string_view name);
  // No session gets in any more; those there are end after the chunk under
  // way.
  void Drain();
  // Cuts off every call that is left.
  void AbortAll();
  // Ends the waiting of generator and encoders.
  void Shutdown();

  std::vector<SessionSummary> List() const;  // oldest first
  std::array<int, kLifeStates> CountByState() const;
  int sessions() const;
  bool draining() const;
  // Playback time until the first live session has had all of its chunks.
  absl::Duration ShortestRest() const;
  // How long the work now in the generator has been there.
  absl::Duration GeneratorBusy() const;

 private:
  class Turn;

  // No effect on a session whose call is over.
  void FailLocked(Session& session, EndReason reason, absl::Status status,
                  absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  template <typename Change>
  void FromClient(Session& session, const Change& change);
  std::vector<std::function<void()>> Settle(absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  GeneratorWork Take(const Decision& decision)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveGenerator() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Observe(const ChunkReport& report);

  const Clock clock_;
  Metrics* const metrics_;
  mutable Mutex mu_;
  Scheduler scheduler_ ABSL_GUARDED_BY(mu_);
  absl::btree_map<SessionId, std::shared_ptr<Session>> sessions_
      ABSL_GUARDED_BY(mu_);  // shared with generator and encoders
  std::vector<std::deque<EncodeJob>> encode_queues_ ABSL_GUARDED_BY(mu_);
  CondVar work_;
  CondVar encode_work_;
  int generating_ ABSL_GUARDED_BY(mu_) = 0;  // works in the generator
  absl::Time generating_since_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  bool shutdown_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace qvg

#endif  // SERVER_SESSION_DISPATCHER_H_
