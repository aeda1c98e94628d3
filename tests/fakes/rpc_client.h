#ifndef TESTS_FAKES_RPC_CLIENT_H_
#define TESTS_FAKES_RPC_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "qvg/v1/server.grpc.pb.h"
#include "qvg/v1/session.grpc.pb.h"
#include "server/rpc/rpc_server.h"
#include "tests/fakes/fake_server.h"

namespace qvg::testing {

// A FakeServer that listens on a free port of loopback.
struct FakeRpcServer : FakeServer {
  explicit FakeRpcServer(SessionManagerOptions options = {},
                         RpcServerOptions rpc_options = {},
                         int64_t budget = int64_t{256} << 20);

  // A connection of its own.
  std::shared_ptr<grpc::Channel> Connect() const;

  std::unique_ptr<RpcServer> rpc;
};

// A Stream call, one message at a time. Gives up after a time that no correct
// program needs.
class RpcStream {
 public:
  explicit RpcStream(const std::shared_ptr<grpc::Channel>& channel);
  // Cancels the call if it goes on.
  ~RpcStream();

  // False if the call is over.
  bool Send(const v1::StreamRequest& request) {
    return stream_->Write(request);
  }
  bool Start(uint32_t first_credit = 0,
             v1::OutputFormat format = v1::OUTPUT_FORMAT_RAW_RGB24);
  bool Act(uint64_t event_id, const std::string& control, uint32_t frames = 1,
           std::optional<uint64_t> start_frame = std::nullopt);
  bool Credit(uint32_t chunks);
  bool Ping(uint64_t nonce);
  void HalfClose() { stream_->WritesDone(); }
  void Cancel() { context_.TryCancel(); }

  // The next response; nothing when there are no more.
  std::optional<v1::StreamResponse> Read();
  // Reads on until one is of this kind, keeping all.
  std::optional<v1::StreamResponse> ReadUntil(
      v1::StreamResponse::MessageCase kind);
  // Reads to the end and says how the call ended.
  grpc::Status Finish();

  // Everything of one kind that was read, in order.
  std::vector<v1::StreamResponse> All(
      v1::StreamResponse::MessageCase kind) const;
  // The hashes of all chunks that were read.
  std::vector<std::string> Hashes() const;

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::SessionService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientReaderWriter<v1::StreamRequest, v1::StreamResponse>>
      stream_;
  std::vector<v1::StreamResponse> responses_;
  bool finished_ = false;
};

}  // namespace qvg::testing

#endif  // TESTS_FAKES_RPC_CLIENT_H_
