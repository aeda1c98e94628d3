#include "tests/fakes/rpc_client.h"

#include <grpcpp/create_channel.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace qvg::testing {

using Case = v1::StreamResponse::MessageCase;

FakeRpcServer::FakeRpcServer(SessionManagerOptions options,
                             RpcServerOptions rpc_options, int64_t budget)
    : FakeServer(std::move(options), budget) {
  auto started = RpcServer::Start(rpc_options, manager.get());
  if (!started.ok()) {
    std::fprintf(stderr, "%s\n", started.status().ToString().c_str());
    std::abort();
  }
  rpc = *std::move(started);
}

std::shared_ptr<grpc::Channel> FakeRpcServer::Connect() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", rpc->port()),
                                   grpc::InsecureChannelCredentials(),
                                   arguments);
}

RpcStream::RpcStream(const std::shared_ptr<grpc::Channel>& channel)
    : channel_(channel), stub_(v1::SessionService::NewStub(channel)) {
  context_.set_deadline(std::chrono::system_clock::now() +
                        std::chrono::seconds(30));
  stream_ = stub_->Stream(&context_);
}

RpcStream::~RpcStream() {
  if (finished_) return;
  Cancel();
  Finish();
}

bool RpcStream::Start(uint32_t first_credit, v1::OutputFormat format) {
  v1::StreamRequest request;
  request.mutable_start()->set_first_credit(first_credit);
  request.mutable_start()->set_output_format(format);
  return Send(request);
}

bool RpcStream::Act(uint64_t event_id, const std::string& control,
                    uint32_t frames, std::optional<uint64_t> start_frame) {
  v1::StreamRequest request;
  v1::Action* action = request.mutable_action();
  action->set_event_id(event_id);
  action->add_controls()->set_name(control);
  action->mutable_controls(0)->set_frames(frames);
  if (start_frame) action->set_start_frame(*start_frame);
  return Send(request);
}

bool RpcStream::Credit(uint32_t chunks) {
  v1::StreamRequest request;
  request.mutable_credit()->set_chunks(chunks);
  return Send(request);
}

bool RpcStream::Ping(uint64_t nonce) {
  v1::StreamRequest request;
  request.mutable_ping()->set_nonce(nonce);
  return Send(request);
}

std::optional<v1::StreamResponse> RpcStream::Read() {
  v1::StreamResponse response;
  if (!stream_->Read(&response)) return std::nullopt;
  responses_.push_back(response);
  return response;
}

std::optional<v1::StreamResponse> RpcStream::ReadUntil(Case kind) {
  while (auto response = Read()) {
    if (response->message_case() == kind) return response;
  }
  return std::nullopt;
}

grpc::Status RpcStream::Finish() {
  while (Read()) {
  }
  finished_ = true;
  return stream_->Finish();
}

std::vector<v1::StreamResponse> RpcStream::All(Case kind) const {
  std::vector<v1::StreamResponse> all;
  for (const v1::StreamResponse& response : responses_) {
    if (response.message_case() == kind) all.push_back(response);
  }
  return all;
}

std::vector<std::string> RpcStream::Hashes() const {
  std::vector<std::string> hashes;
  for (const v1::StreamResponse& response : All(Case::kChunkDone)) {
    hashes.push_back(response.chunk_done().frames_sha256());
  }
  return hashes;
}

}  // namespace qvg::testing
