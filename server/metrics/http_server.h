#ifndef SERVER_METRICS_HTTP_SERVER_H_
#define SERVER_METRICS_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace qvg {

// Called on the server's threads, several at a time.
struct HttpHandlers {
  // Body of /metrics, Prometheus text format.
  std::function<std::string()> metrics;
  // /healthz: is the process alive and its generator making progress.
  std::function<absl::Status()> healthy;
  // /readyz: would a new session be served (model loaded, not draining).
  std::function<absl::Status()> ready;
};

// Serves /metrics, /healthz and /readyz over HTTP: 200 with "ok", or 503 with
// the status message. Thread-safe.
class HttpServer {
 public:
  // Binds host:port (port 0: any free one) and serves until destroyed.
  // ALREADY_EXISTS if the port is taken.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const std::string& host, int port, HttpHandlers handlers);

  // Stops listening and waits for requests in flight.
  virtual ~HttpServer() = default;

  // The port it listens on.
  virtual int port() const = 0;
};

}  // namespace qvg

#endif  // SERVER_METRICS_HTTP_SERVER_H_
