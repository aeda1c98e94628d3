#include "client/client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/status.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"

namespace qvg {
namespace {

// The server's shortest ping interval is 15 s; a shorter one ends in GOAWAY.
constexpr int kKeepaliveMs = 20000;
constexpr int kKeepaliveTimeoutMs = 10000;

std::shared_ptr<grpc::Channel> NewChannel(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  // Media comes in parts of 256 KiB at most.
  arguments.SetMaxReceiveMessageSize(1 << 20);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(),
                                   arguments);
}

template <typename Stub, typename Request, typename Response>
absl::StatusOr<Response> Call(Stub& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                           const Request&,
                                                           Response*),
                              const Request& request, absl::Duration timeout) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  Response response;
  absl::Status status = FromGrpc((stub.*method)(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(
    const std::string& server, absl::Duration timeout) {
  auto channel = NewChannel(server);
  if (!channel->WaitForConnected(absl::ToChronoTime(absl::Now() + timeout))) {
    return absl::UnavailableError(
        absl::StrCat("no server answers at ", server, " within ",
                     absl::FormatDuration(timeout),
                     "; start qvgd or give --server=HOST:PORT"));
  }
  return std::unique_ptr<Client>(new Client(std::move(channel), timeout));
}

Client::Client(std::shared_ptr<grpc::Channel> channel, absl::Duration timeout)
    : server_stub_(v1::ServerService::NewStub(channel)),
      session_stub_(v1::SessionService::NewStub(channel)),
      timeout_(timeout) {}

absl::StatusOr<v1::GetServerInfoResponse> Client::ServerInfo() {
  return Call(*server_stub_, &v1::ServerService::Stub::GetServerInfo,
              v1::GetServerInfoRequest(), timeout_);
}

absl::StatusOr<v1::ListModelsResponse> Client::Models() {
  return Call(*server_stub_, &v1::ServerService::Stub::ListModels,
              v1::ListModelsRequest(), timeout_);
}

absl::StatusOr<v1::ListSessionsResponse> Client::Sessions() {
  return Call(*session_stub_, &v1::SessionService::Stub::ListSessions,
              v1::ListSessionsRequest(), timeout_);
}

absl::Status Client::CloseSession(const std::string& session_id) {
  v1::CloseSessionRequest request;
  request.set_session_id(session_id);
  return Call(*session_stub_, &v1::SessionService::Stub::CloseSession, request,
              timeout_)
      .status();
}

absl::StatusOr<v1::Model> Client::FindModel(const std::string& name) {
  auto models = Models();
  if (!models.ok()) return models.status();
  std::vector<std::string> names;
  for (const v1::Model& model : models->models()) {
    if (name.empty() || model.name() == name) return model;
    names.push_back(model.name());
  }
  return absl::NotFoundError(
      absl::StrCat("model is \"", name, "\"; the server has ",
                   names.empty() ? "none" : absl::StrJoin(names, ", ")));
}

}  // namespace qvg
