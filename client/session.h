#ifndef CLIENT_SESSION_H_
#define CLIENT_SESSION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "client/client.h"
#include "grpcpp/client_context.h"
#include "qvg/v1/session.grpc.pb.h"

namespace qvg {

// One fragment, or the file of one frame.
struct MediaFile {
  uint32_t frame_index = 0;  // within the chunk
  std::string data;
};

// A chunk with all of its media, parts put together again.
struct Chunk {
  v1::ChunkDone done;
  std::vector<MediaFile> media;
};

using SessionEvent = std::variant<Chunk, v1::Receipt, v1::Pong, v1::Ended>;

// One session, as a blocking iterator. Next() and FlowCredit() are for one
// thread; everything else may be called from any thread at any time.
class Session {
 public:
  // Starts a session and waits until it is admitted. `client` must outlive
  // it. The server's status says why if it is not.
  static absl::StatusOr<std::unique_ptr<Session>> Open(Client& client,
                                                       const v1::Start& start);

  // Cancels what has not ended.
  ~Session();

  const v1::Started& started() const { return started_; }

  // Decoder setup of formats that have one; known once Next() has returned a
  // chunk.
  const std::string& init_segment() const { return init_segment_; }

  // Keeps `chunks` of credit open from now on, `total` over all: a new one for
  // every chunk that Next() has returned and that is then acknowledged.
  void FlowCredit(int chunks, uint64_t total);

  // These queue a message. If the stream is broken they do nothing; Next()
  // tells why.
  void Send(const v1::Action& action);
  void Send(const v1::Prompt& prompt);
  void SendCredit(uint32_t chunks);
  void SendPause(bool paused);
  void SendPing(uint64_t nonce);
  void SendStop();

  // Waits for the next event. After `Ended` comes OUT_OF_RANGE if the call
  // closed in order, else its status. DATA_LOSS if the server breaks the
  // protocol or raw frames do not have the hash they were sent with.
  absl::StatusOr<SessionEvent> Next();

  // Ends the call at once; Next() then returns CANCELLED.
  void Cancel();

 private:
  explicit Session(Client& client);

  void Write(const v1::StreamRequest& request);
  void Acknowledge();
  absl::Status AddPart(v1::MediaPart part);
  absl::StatusOr<SessionEvent> FinishChunk(v1::ChunkDone done);
  absl::Status Finish();

  grpc::ClientContext context_;
  absl::Mutex write_mutex_;  // one write at a time
  std::unique_ptr<
      grpc::ClientReaderWriter<v1::StreamRequest, v1::StreamResponse>>
      stream_;
  v1::Started started_;
  std::string init_segment_;
  // Of the chunk that is coming in.
  std::vector<MediaFile> media_;
  uint32_t next_part_ = 0;
  bool last_part_ = false;

  bool ended_ = false;
  bool finished_ = false;
  absl::Status final_status_;
  bool unacknowledged_ = false;
  uint64_t last_chunk_ = 0;
  uint64_t credit_left_ = 0;
};

}  // namespace qvg

#endif  // CLIENT_SESSION_H_
