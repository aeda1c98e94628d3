#include "tests/e2e/raw_call.h"

#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "client/status.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/security/credentials.h"

namespace qvg::e2e {
namespace {

// Waits for the one operation that is under way.
bool Await(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  return queue.Next(&tag, &ok) && ok;
}

grpc::ByteBuffer Buffer(const std::string& bytes) {
  grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

v1::StreamResponse Parse(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  buffer.Dump(&slices);
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  v1::StreamResponse response;
  response.ParseFromString(bytes);
  return response;
}

}  // namespace

RawAnswer CallStream(const std::string& address,
                     const std::vector<std::string>& messages) {
  grpc::GenericStub stub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  grpc::CompletionQueue queue;
  auto call =
      stub.PrepareCall(&context, "/qvg.v1.SessionService/Stream", &queue);
  call->StartCall(nullptr);
  bool good = Await(queue);
  for (const std::string& message : messages) {
    if (!good) break;
    call->Write(Buffer(message), nullptr);
    good = Await(queue);
  }
  RawAnswer answer;
  for (;;) {
    grpc::ByteBuffer buffer;
    call->Read(&buffer, nullptr);
    if (!Await(queue)) break;
    answer.responses.push_back(Parse(buffer));
  }
  grpc::Status status;
  call->Finish(&status, nullptr);
  Await(queue);
  answer.status = FromGrpc(status);
  return answer;
}

}  // namespace qvg::e2e
