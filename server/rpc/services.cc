#include "server/rpc/services.h"

#include "server/rpc/convert.h"
#include "server/rpc/status.h"
#include "server/rpc/stream_reactor.h"

namespace qvg {
namespace {

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                 const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>*
SessionServiceImpl::Stream(grpc::CallbackServerContext* context) {
  return new StreamReactor(manager_, context, start_time_);
}

grpc::ServerUnaryReactor* SessionServiceImpl::ListSessions(
    grpc::CallbackServerContext* context, const v1::ListSessionsRequest*,
    v1::ListSessionsResponse* response) {
  for (const SessionSummary& summary : manager_->List()) {
    ToProto(summary, manager_->model(), response->add_sessions());
  }
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* SessionServiceImpl::CloseSession(
    grpc::CallbackServerContext* context,
    const v1::CloseSessionRequest* request, v1::CloseSessionResponse*) {
  return Answer(context, manager_->Close(request->session_id()));
}

grpc::ServerUnaryReactor* ServerServiceImpl::GetServerInfo(
    grpc::CallbackServerContext* context, const v1::GetServerInfoRequest*,
    v1::GetServerInfoResponse* response) {
  const ServerStatus status = manager_->Status();
  response->set_version(manager_->version());
  response->set_device(manager_->model().device);
  response->set_budget_bytes(status.pool.budget);
  response->set_reserved_bytes(status.pool.reserved);
  int64_t used = 0;
  for (int64_t bytes : status.pool.used) used += bytes;
  response->set_used_bytes(used);
  response->set_sessions(status.sessions);
  response->set_max_sessions(manager_->limits().max_sessions);
  ToProto(manager_->limits(), manager_->model(), response->mutable_limits());
  response->set_draining(status.draining);
  response->set_uptime_seconds(absl::ToDoubleSeconds(status.uptime));
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* ServerServiceImpl::ListModels(
    grpc::CallbackServerContext* context, const v1::ListModelsRequest*,
    v1::ListModelsResponse* response) {
  const SessionBytes bytes = manager_->DefaultSessionBytes();
  ToProto(manager_->model(), bytes.cache + bytes.host, response->add_models());
  return Answer(context, absl::OkStatus());
}

}  // namespace qvg
