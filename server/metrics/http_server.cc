#include "server/metrics/http_server.h"

#include <sys/socket.h>

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "httplib.h"

namespace qvg {
namespace {

// Probes and scrapes are few, small and without a body.
constexpr int kThreads = 2;
constexpr int kTimeoutSeconds = 5;
constexpr size_t kMaxRequestBytes = 4096;
constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

void Answer(const absl::Status& status, httplib::Response& response) {
  response.status = status.ok() ? 200 : 503;
  response.set_content(
      status.ok() ? "ok\n" : absl::StrCat(status.message(), "\n"),
      "text/plain");
}

class HttplibServer : public HttpServer {
 public:
  explicit HttplibServer(HttpHandlers handlers)
      : handlers_(std::move(handlers)) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_read_timeout(kTimeoutSeconds);
    server_.set_write_timeout(kTimeoutSeconds);
    server_.set_keep_alive_timeout(kTimeoutSeconds);
    server_.set_payload_max_length(kMaxRequestBytes);
    // Without SO_REUSEPORT, the library's default, which would let a second
    // server share the port silently.
    server_.set_socket_options([](auto socket) {
      const int on = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    });
    AddRoutes();
  }

  ~HttplibServer() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen(const std::string& host, int port) {
    if (port == 0) {
      port_ = server_.bind_to_any_port(host);
    } else if (server_.bind_to_port(host, port)) {
      port_ = port;
    }
    if (port_ <= 0) {
      return absl::AlreadyExistsError(absl::StrCat(
          "cannot listen on ", host, ":", port,
          " for metrics: the port is in use or the address is not local"));
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // stop() before the loop runs would be lost.
    while (!server_.is_running()) std::this_thread::yield();
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  void AddRoutes() {
    server_.Get("/metrics",
                [this](const httplib::Request&, httplib::Response& response) {
                  response.set_content(handlers_.metrics(), kMetricsType);
                });
    server_.Get("/healthz",
                [this](const httplib::Request&, httplib::Response& response) {
                  Answer(handlers_.healthy(), response);
                });
    server_.Get("/readyz",
                [this](const httplib::Request&, httplib::Response& response) {
                  Answer(handlers_.ready(), response);
                });
  }

  HttpHandlers handlers_;
  httplib::Server server_;
  std::thread thread_;
  int port_ = -1;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const std::string& host, int port, HttpHandlers handlers) {
  auto server = std::make_unique<HttplibServer>(std::move(handlers));
  if (absl::Status status = server->Listen(host, port); !status.ok()) {
    return status;
  }
  return server;
}

}  // namespace qvg
