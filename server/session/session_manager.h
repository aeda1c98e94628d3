#ifndef SERVER_SESSION_SESSION_MANAGER_H_
#define SERVER_SESSION_SESSION_MANAGER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cache/mutex.h"
#include "cache/pool/memory_pool.h"
#include "server/generator/video_model.h"
#include "server/metrics/metrics.h"
#include "server/session/dispatcher.h"
#include "server/session/encoders.h"
#include "server/session/generator.h"
#include "server/session/limits.h"
#include "server/session/messages.h"
#include "server/session/session_handle.h"

namespace qvg {

struct SessionManagerOptions {
  SessionLimits limits;
  absl::Duration session_time = absl::Hours(2);
  absl::Duration idle_time = absl::Minutes(5);
  absl::Duration write_stall_time = absl::Seconds(20);
  int encode_threads = 1;
  std::string record_dir;  // empty: nothing is recorded
  std::string server_version;
  Clock clock = SteadyNow;
  // How often the timers are looked at; infinite: only by Tick().
  absl::Duration tick = absl::Milliseconds(100);

  // INVALID_ARGUMENT names the field that is out of range.
  absl::Status Validate() const;
};

// Where sessions take their memory.
struct SessionPools {
  MemoryPool* cache = nullptr;  // in ModelInfo::memory
  MemoryPool* host = nullptr;   // the same one if that is the host's

  bool one() const { return cache == host; }
};

// What the server is doing, at one moment.
struct ServerStatus {
  PoolUsage pool;  // of the cache
  PoolUsage host;  // the same if there is one pool
  int sessions = 0;
  bool draining = false;
  absl::Duration uptime;
};

// All sessions of a server: admits them, runs them, ends them. Owns the
// generator thread, the encoders and the timer. Thread-safe; nothing but
// construction and destruction waits.
class SessionManager {
 public:
  // All of them outlive the manager; `options` is valid.
  SessionManager(const SessionManagerOptions& options, VideoModel* model,
                 const SessionPools& pools, Metrics* metrics);
  // All handles must be gone.
  ~SessionManager();

  // Admits a session. `waker` is called without locks, from any thread,
  // whenever SessionHandle::NextStep has something new, and possibly once
  // after the handle is gone. Errors: those of PlanSession; UNAVAILABLE while
  // draining; RESOURCE_EXHAUSTED, with the figures and a RetryDelay, when
  // there is no room in the pool or no free session.
  absl::StatusOr<SessionHandle> Open(const StartRequest& request,
                                     std::function<void()> waker);

  // Oldest first.
  std::vector<SessionSummary> List() const { return dispatcher_.List(); }
  // Ends a session in order; NOT_FOUND if there is none of that name.
  absl::Status Close(absl::string_view name) { return dispatcher_.Close(name); }

  // Admits nobody from now on, and ends sessions after the chunk under way.
  void Drain() { dispatcher_.Drain(); }
  // Cuts off the calls that are left.
  void AbortAll() { dispatcher_.AbortAll(); }
  // Looks at the timers.
  void Tick() { dispatcher_.Tick(); }

  const ModelInfo& model() const { return model_->info(); }
  const SessionLimits& limits() const { return options_.limits; }
  const std::string& version() const { return options_.server_version; }
  // Upper bound of what a session with everything at its default takes of the
  // two pools; all of `cache` if they are one.
  SessionBytes DefaultSessionBytes() const;
  ServerStatus Status() const;

  // Whether the generator makes progress, and whether a new session would be
  // served; the error says why not.
  absl::Status Healthy() const;
  absl::Status Ready() const;
  // Brings the gauges up to date.
  void RefreshMetrics();

 private:
  absl::StatusOr<std::shared_ptr<Session>> Admit(const StartRequest& request,
                                                 SessionParts parts);
  absl::Status Reserve(SessionParts* parts);
  absl::Status Refuse(absl::Status status);
  void Show(absl::string_view tier, const PoolUsage& pool);
  void TickLoop();

  const SessionManagerOptions options_;
  VideoModel* const model_;
  const SessionPools pools_;
  Metrics* const metrics_;
  const absl::Time born_;
  std::atomic<SessionId> last_id_{0};
  Dispatcher dispatcher_;
  Encoders encoders_;
  Generator generator_;
  Mutex mu_;
  CondVar stop_signal_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::thread ticker_;
};

}  // namespace qvg

#endif  // SERVER_SESSION_SESSION_MANAGER_H_
