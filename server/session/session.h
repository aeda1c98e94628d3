#ifndef SERVER_SESSION_SESSION_H_
#define SERVER_SESSION_SESSION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cache/pool/memory_pool.h"
#include "cache/session_state.h"
#include "server/generator/video_model.h"
#include "server/media/media_encoder.h"
#include "server/session/admission.h"
#include "server/session/input_queue.h"
#include "server/session/messages.h"
#include "server/session/outbox.h"
#include "server/session/recorder.h"

namespace qvg {

// What the writer of a stream should do.
struct WriterStep {
  enum class Kind {
    kWait,    // nothing to write; the waker will say
    kWrite,   // `message`, then Session::Written
    kFinish,  // end the call with `status`
    kAbort,   // cut the call off: the client does not accept a write
  };
  Kind kind = Kind::kWait;
  Message message;
  absl::Status status;
};

// Everything a session is made of when it is admitted.
struct SessionParts {
  SessionId id = 0;
  std::string name;  // for clients
  const ModelInfo* model = nullptr;
  SessionPlan plan;
  SessionLimits limits;
  Reservation cache_memory;       // of the model's state
  Reservation model_host_memory;  // ... beside a cache on a device
  Reservation own_memory;
  PoolBuffer input_memory;  // of own_memory
  absl::Time started;       // when the request came
  // Called without locks, from any thread, when there is something to write.
  // May be called once more after the session is gone.
  std::function<void()> waker;
};

// One client's stream: what came in and waits for generation, what waits to be
// written, and how it ends. Thread-compatible; the dispatcher's lock guards it
// but for what `work` says.
class Session {
 public:
  // What the threads that generate and encode use, one of them at a time,
  // outside the lock.
  struct Work {
    std::unique_ptr<SessionState> state;    // set under the lock
    std::unique_ptr<MediaEncoder> encoder;  // from the first chunk on
    std::unique_ptr<Recorder> recorder;     // null: nothing is recorded
    // Ends the chunk under way between two steps.
    std::atomic<bool> cancelled{false};
  };

  explicit Session(SessionParts parts);

  SessionId id() const { return parts_.id; }
  const std::string& name() const { return parts_.name; }
  const ModelInfo& model() const { return *parts_.model; }
  const SessionPlan& plan() const { return parts_.plan; }
  absl::Time started() const { return parts_.started; }
  const std::function<void()>& waker() const { return parts_.waker; }
  int64_t reserved_bytes() const { return reserved_bytes_; }
  Work& work() { return work_; }
  // Thread-safe.
  Reservation& own_memory() { return parts_.own_memory; }
  // The claims of the model's state, for VideoModel::Open.
  Reservation TakeCacheMemory() { return std::move(parts_.cache_memory); }
  Reservation TakeModelHostMemory() {
    return std::move(parts_.model_host_memory);
  }
  KindBytes HeldBytes() const;

  // From the client. Any error ends the call. Events that come after the end
  // was decided are received and rejected.
  absl::Status AddAction(const ActionRequest& action);
  absl::Status SetPrompt(const PromptRequest& prompt);
  absl::Status Ping(uint64_t nonce);
  // INVALID_ARGUMENT for a chunk that has not been sent.
  absl::Status Ack(uint64_t chunk) const;

  // From generator and encoder.
  ChunkInputs TakeInputs(int64_t chunk);
  void PushChunk(OutboxChunk chunk);

  // Ends in order, after what is there has been written: no chunk comes any
  // more, waiting events are rejected.
  void End(EndReason reason);
  // Ends the call with `status` at once; the first error counts.
  void Fail(EndReason reason, absl::Status status);
  // Cuts the call off.
  void Abort();
  bool aborted() const { return aborted_; }
  // Why it ended; nothing while it lives.
  std::optional<EndReason> end_reason() const { return end_reason_; }

  // For the writer: one message at a time.
  WriterStep Next();
  Outbox::Departure Written();

  // Whether Next() has something new since the last call.
  bool TakeNews() { return std::exchange(news_, false); }

  int64_t chunks_sent() const { return chunks_sent_; }
  int64_t chunks_complete() const { return chunks_complete_; }
  // After the newest complete chunk.
  const HistoryBytes& history() const { return history_; }

 private:
  absl::Status PushReceipts(std::vector<Receipt> receipts);

  SessionParts parts_;
  int64_t reserved_bytes_;
  Work work_;
  InputQueue inputs_;
  Outbox outbox_;
  std::optional<EndReason> end_reason_;
  absl::Status final_status_;
  bool failed_ = false;
  bool aborted_ = false;
  bool news_ = false;
  HistoryBytes history_;
  int64_t chunks_complete_ = 0;
  int64_t chunks_offered_ = 0;  // to the writer, reports and all
  int64_t chunks_sent_ = 0;
};

}  // namespace qvg

#endif  // SERVER_SESSION_SESSION_H_
