#ifndef CLIENT_CLIENT_H_
#define CLIENT_CLIENT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "qvg/v1/server.grpc.pb.h"
#include "qvg/v1/session.grpc.pb.h"

namespace qvg {

// A connection to one server. Thread-safe.
class Client {
 public:
  // Waits until `server` ("HOST:PORT") answers; UNAVAILABLE after `timeout`.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(
      const std::string& server, absl::Duration timeout = absl::Seconds(10));

  // Unary calls; DEADLINE_EXCEEDED after the timeout given to Connect.
  absl::StatusOr<v1::GetServerInfoResponse> ServerInfo();
  absl::StatusOr<v1::ListModelsResponse> Models();
  absl::StatusOr<v1::ListSessionsResponse> Sessions();
  absl::Status CloseSession(const std::string& session_id);

  // The model of that name, or the first one if it is empty. NOT_FOUND lists
  // the names there are.
  absl::StatusOr<v1::Model> FindModel(const std::string& name);

  v1::SessionService::Stub& session_stub() { return *session_stub_; }

 private:
  Client(std::shared_ptr<grpc::Channel> channel, absl::Duration timeout);

  std::unique_ptr<v1::ServerService::Stub> server_stub_;
  std::unique_ptr<v1::SessionService::Stub> session_stub_;
  const absl::Duration timeout_;
};

}  // namespace qvg

#endif  // CLIENT_CLIENT_H_
