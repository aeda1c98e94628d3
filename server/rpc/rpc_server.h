#ifndef SERVER_RPC_RPC_SERVER_H_
#define SERVER_RPC_RPC_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/session/session_manager.h"

namespace qvg {

struct RpcServerOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: any free one
  // Off where strangers can ask.
  bool reflection = true;
  absl::Duration start_time = absl::Seconds(10);
  int max_streams_per_connection = 16;
  absl::Duration keepalive_time = absl::Seconds(30);
  absl::Duration keepalive_timeout = absl::Seconds(10);
  absl::Duration connection_idle_time = absl::Minutes(5);
  // What gRPC may buffer, over all connections.
  int64_t memory_bytes = int64_t{512} << 20;

  // INVALID_ARGUMENT names the field that is out of range.
  absl::Status Validate() const;
};

// The gRPC server: both services, health, reflection. Thread-safe.
class RpcServer {
 public:
  // Listens and serves. UNAVAILABLE if the address cannot be bound. `manager`
  // outlives the server.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(
      const RpcServerOptions& options, SessionManager* manager);
  // Shuts down at once if Shutdown has not been called.
  ~RpcServer();

  // The port that it listens on.
  int port() const;

  // Has gRPC health say whether a new session would be served.
  void UpdateHealth();
  // Has gRPC health say that nothing is served, for good.
  void SetNotServing();

  // Takes no more calls, cancels the ones that are left after `grace`, and
  // returns when all are over.
  void Shutdown(absl::Duration grace);

 private:
  struct Parts;
  explicit RpcServer(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace qvg

#endif  // SERVER_RPC_RPC_SERVER_H_
