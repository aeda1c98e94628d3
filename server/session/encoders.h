#ifndef SERVER_SESSION_ENCODERS_H_
#define SERVER_SESSION_ENCODERS_H_

#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "server/session/dispatcher.h"

namespace qvg {

struct EncodersOptions {
  int threads = 1;
  std::string record_dir;  // empty: nothing is recorded
  std::string server_version;
};

// A few threads that turn frames into media, hash and record them. Each
// session belongs to one of them, so that its chunks stay in order.
class Encoders {
 public:
  // `dispatcher`, made for as many encoders, outlives this object.
  Encoders(const EncodersOptions& options, Dispatcher* dispatcher);
  // Waits for the jobs under way; Dispatcher::Shutdown comes first.
  ~Encoders();

 private:
  void Loop(int encoder);
  absl::Status Prepare(Session& session);
  absl::Status Encode(EncodeJob& job, OutboxChunk* chunk);
  void Finish(Session& session);

  const EncodersOptions options_;
  Dispatcher* dispatcher_;
  std::vector<std::thread> threads_;
};

}  // namespace qvg

#endif  // SERVER_SESSION_ENCODERS_H_
