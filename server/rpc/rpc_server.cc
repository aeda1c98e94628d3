#include "server/rpc/rpc_server.h"

#include <grpc/impl/codegen/compression_types.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.pb.h"
#include "server/rpc/services.h"

namespace qvg {
namespace {

constexpr absl::Duration kHandshakeTime = absl::Seconds(5);
constexpr int kMaxMetadataBytes = 8 << 10;
// Clients may ping no more often than so, without data.
constexpr absl::Duration kMinPingInterval = absl::Seconds(15);
constexpr int kMaxPingStrikes = 2;

int Milliseconds(absl::Duration time) {
  return static_cast<int>(absl::ToInt64Milliseconds(time));
}

void SetArguments(const RpcServerOptions& options,
                  grpc::ServerBuilder& builder) {
  const std::pair<const char*, int> arguments[] = {
      // A second server on the port fails instead of taking half the calls.
      {GRPC_ARG_ALLOW_REUSEPORT, 0},
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_streams_per_connection},
      {GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes},
      {GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_time)},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.keepalive_timeout)},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
       Milliseconds(kMinPingInterval)},
      {GRPC_ARG_HTTP2_MAX_PING_STRIKES, kMaxPingStrikes},
      {GRPC_ARG_MAX_CONNECTION_IDLE_MS,
       Milliseconds(options.connection_idle_time)},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(kHandshakeTime)}};
  for (const auto& [name, value] : arguments) {
    builder.AddChannelArgument(name, value);
  }
  grpc::ResourceQuota quota("qvgd");
  quota.Resize(options.memory_bytes);
  builder.SetResourceQuota(quota);
  // Video does not compress.
  builder.SetDefaultCompressionAlgorithm(GRPC_COMPRESS_NONE);
}

void EnableReflection() {
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // gRPC's own service has no descriptor unless somebody links one.
  grpc::health::v1::HealthCheckRequest::descriptor();
}

// "host:port", an IPv6 host in brackets.
std::string Address(const RpcServerOptions& options) {
  if (options.host.find(':') == std::string::npos) {
    return absl::StrCat(options.host, ":", options.port);
  }
  return absl::StrCat("[", options.host, "]:", options.port);
}

}  // namespace

absl::Status RpcServerOptions::Validate() const {
  const struct {
    const char* name;
    int64_t value, low, high;
  } fields[] = {
      {"grpc_port", port, 0, 65535},
      {"max_streams_per_connection", max_streams_per_connection, 1, 65536},
      {"start_time", absl::ToInt64Milliseconds(start_time), 1, 1 << 30},
      {"keepalive_time", absl::ToInt64Milliseconds(keepalive_time), 1000,
       1 << 30},
      {"keepalive_timeout", absl::ToInt64Milliseconds(keepalive_timeout), 1,
       1 << 30},
      {"connection_idle_time", absl::ToInt64Milliseconds(connection_idle_time),
       1, 1 << 30},
      {"grpc_memory_bytes", memory_bytes, 16 << 20, int64_t{1} << 40}};
  for (const auto& [name, value, low, high] : fields) {
    if (value >= low && value <= high) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": ", value, " is not between ", low, " and ", high));
  }
  return absl::OkStatus();
}

struct RpcServer::Parts {
  Parts(const RpcServerOptions& options, SessionManager* session_manager)
      : manager(session_manager),
        session_service(session_manager, options.start_time),
        server_service(session_manager) {}

  SessionManager* manager;
  SessionServiceImpl session_service;
  ServerServiceImpl server_service;
  int port = 0;
  // Last, so that it goes before the services.
  std::unique_ptr<grpc::Server> server;
};

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(
    const RpcServerOptions& options, SessionManager* manager) {
  const absl::Status status = options.Validate();
  if (!status.ok()) return status;
  auto parts = std::make_unique<Parts>(options, manager);
  grpc::EnableDefaultHealthCheckService(true);
  if (options.reflection) EnableReflection();
  grpc::ServerBuilder builder;
  SetArguments(options, builder);
  builder.SetMaxReceiveMessageSize(manager->limits().max_message_bytes);
  const std::string address = Address(options);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(),
                           &parts->port);
  builder.RegisterService(&parts->session_service);
  builder.RegisterService(&parts->server_service);
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr || parts->port == 0) {
    return absl::UnavailableError(absl::StrCat("grpc_port: cannot listen on ",
                                               address, ", is it in use?"));
  }
  auto server = std::unique_ptr<RpcServer>(new RpcServer(std::move(parts)));
  server->UpdateHealth();
  return server;
}

RpcServer::RpcServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

RpcServer::~RpcServer() { Shutdown(absl::ZeroDuration()); }

int RpcServer::port() const { return parts_->port; }

void RpcServer::UpdateHealth() {
  grpc::HealthCheckServiceInterface* health =
      parts_->server->GetHealthCheckService();
  const bool ready = parts_->manager->Ready().ok();
  health->SetServingStatus("", ready);
  health->SetServingStatus(v1::SessionService::service_full_name(), ready);
  health->SetServingStatus(v1::ServerService::service_full_name(), true);
}

void RpcServer::SetNotServing() {
  parts_->server->GetHealthCheckService()->Shutdown();
}

void RpcServer::Shutdown(absl::Duration grace) {
  parts_->server->Shutdown(std::chrono::system_clock::now() +
                           absl::ToChronoMilliseconds(grace));
}

}  // namespace qvg
