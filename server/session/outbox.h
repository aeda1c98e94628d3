#ifndef SERVER_SESSION_OUTBOX_H_
#define SERVER_SESSION_OUTBOX_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "cache/pool/memory_pool.h"
#include "server/session/messages.h"

namespace qvg {

// One thing that a decoder takes whole.
struct OutboxUnit {
  PoolBuffer data;
  int frame_index = 0;
  bool init_segment = false;
};

// A complete chunk that waits for its client.
struct OutboxChunk {
  std::vector<OutboxUnit> units;
  ChunkReport report;

  int64_t bytes() const;
};

// Messages to one client. Receipts and the like overtake media, the end comes
// last. The number of chunks and their bytes are bounded by the scheduler, who
// lets nobody generate into a full outbox. Thread-compatible.
class Outbox {
 public:
  static constexpr size_t kMaxReplies = 1024;

  // What left with a message.
  struct Departure {
    bool chunk = false;  // a whole chunk: its report was the message
    int64_t bytes = 0;   // of that chunk
  };

  // RESOURCE_EXHAUSTED when kMaxReplies wait: the client sends and does not
  // read.
  absl::Status PushReply(Message reply);
  void PushChunk(OutboxChunk chunk);
  // After all that is there.
  void PushEnd(Ended ended) { end_ = std::move(ended); }
  // Forgets everything that is not being written.
  void Clear();

  // The next message; nothing if there is none. It stays in front, and its
  // data alive, until Pop.
  std::optional<Message> Front();
  // The message of Front is written.
  Departure Pop();

  int64_t chunks() const { return static_cast<int64_t>(chunks_.size()); }

 private:
  enum class Lane { kNone, kReply, kMedia, kEnd };

  bool AtReport() const { return unit_ == chunks_.front().units.size(); }
  MediaPart CurrentPart() const;
  Departure PopMedia();

  std::deque<Message> replies_;
  std::deque<OutboxChunk> chunks_;
  std::optional<Ended> end_;
  Lane front_ = Lane::kNone;  // being written
  bool cleared_ = false;
  // Place within the first chunk.
  size_t unit_ = 0;
  int64_t offset_ = 0;
  int part_ = 0;
};

}  // namespace qvg

#endif  // SERVER_SESSION_OUTBOX_H_
