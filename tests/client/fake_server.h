#ifndef TESTS_CLIENT_FAKE_SERVER_H_
#define TESTS_CLIENT_FAKE_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/server.h"
#include "qvg/v1/server.grpc.pb.h"
#include "qvg/v1/session.grpc.pb.h"
#include "server/media/media_encoder.h"

namespace qvg {

// How the fake departs from a server that works.
struct FakeBehavior {
  // Answers Start with this, unless it is OK.
  grpc::Status refuse;
  std::string reject_actions;   // why; empty: applies them
  int end_after_chunks = -1;    // ends by itself with ENDED_REASON_DRAINING
  int break_after_chunks = -1;  // finishes with UNAVAILABLE, no `ended`
  size_t part_bytes = 1000;
  bool skip_started = false;
  bool wrong_hash = false;
  bool drop_last_part = false;
};

// A server in this process whose picture is a pure function of seed, frame
// number and control. Every request is kept.
class FakeServer : public v1::SessionService::Service,
                   public v1::ServerService::Service {
 public:
  static constexpr int kWidth = 32;
  static constexpr int kHeight = 16;
  static constexpr int kChunkFrames = 4;

  FakeServer() : FakeServer(FakeBehavior()) {}
  explicit FakeServer(FakeBehavior behavior);
  ~FakeServer() override;

  const std::string& address() const { return address_; }

  // Called between two chunks; for tests that act in the middle of a run.
  void set_on_chunk(std::function<void(uint64_t)> on_chunk) {
    on_chunk_ = std::move(on_chunk);
  }

  std::vector<v1::StreamRequest> requests() const;
  std::vector<std::string> closed() const;

  // The raw frame that it shows.
  static std::vector<uint8_t> Frame(uint64_t seed, uint64_t frame,
                                    const std::string& control);

 private:
  struct Run;
  using Wire = grpc::ServerReaderWriter<v1::StreamResponse, v1::StreamRequest>;

  grpc::Status Stream(grpc::ServerContext* context, Wire* stream) override;
  grpc::Status ListSessions(grpc::ServerContext*,
                            const v1::ListSessionsRequest*,
                            v1::ListSessionsResponse* response) override;
  grpc::Status CloseSession(grpc::ServerContext*,
                            const v1::CloseSessionRequest* request,
                            v1::CloseSessionResponse*) override;
  grpc::Status GetServerInfo(grpc::ServerContext*,
                             const v1::GetServerInfoRequest*,
                             v1::GetServerInfoResponse* response) override;
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                          v1::ListModelsResponse* response) override;

  const FakeBehavior behavior_;
  std::function<void(uint64_t)> on_chunk_;
  mutable absl::Mutex mutex_;
  std::vector<v1::StreamRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> closed_ ABSL_GUARDED_BY(mutex_);
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace qvg

#endif  // TESTS_CLIENT_FAKE_SERVER_H_
