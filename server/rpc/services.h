#ifndef SERVER_RPC_SERVICES_H_
#define SERVER_RPC_SERVICES_H_

#include "absl/time/time.h"
#include "qvg/v1/server.grpc.pb.h"
#include "qvg/v1/session.grpc.pb.h"
#include "server/session/session_manager.h"

namespace qvg {

// qvg.v1.SessionService. The stream is handled as bytes (StreamReactor).
class SessionServiceImpl final
    : public v1::SessionService::WithRawCallbackMethod_Stream<
          v1::SessionService::WithCallbackMethod_ListSessions<
              v1::SessionService::WithCallbackMethod_CloseSession<
                  v1::SessionService::Service>>> {
 public:
  // `manager` outlives the service and all of its calls.
  SessionServiceImpl(SessionManager* manager, absl::Duration start_time)
      : manager_(manager), start_time_(start_time) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Stream(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ListSessions(
      grpc::CallbackServerContext* context,
      const v1::ListSessionsRequest* request,
      v1::ListSessionsResponse* response) override;
  grpc::ServerUnaryReactor* CloseSession(
      grpc::CallbackServerContext* context,
      const v1::CloseSessionRequest* request,
      v1::CloseSessionResponse* response) override;

 private:
  SessionManager* manager_;
  absl::Duration start_time_;
};

// qvg.v1.ServerService.
class ServerServiceImpl final : public v1::ServerService::CallbackService {
 public:
  // `manager` outlives the service.
  explicit ServerServiceImpl(SessionManager* manager) : manager_(manager) {}

  grpc::ServerUnaryReactor* GetServerInfo(
      grpc::CallbackServerContext* context,
      const v1::GetServerInfoRequest* request,
      v1::GetServerInfoResponse* response) override;
  grpc::ServerUnaryReactor* ListModels(
      grpc::CallbackServerContext* context,
      const v1::ListModelsRequest* request,
      v1::ListModelsResponse* response) override;

 private:
  SessionManager* manager_;
};

}  // namespace qvg

#endif  // SERVER_RPC_SERVICES_H_
