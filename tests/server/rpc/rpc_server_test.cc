#include "server/rpc/rpc_server.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <future>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/rpc_client.h"

namespace qvg {
namespace {

using testing::FakeRpcServer;
using ::testing::HasSubstr;
using testing::RpcStream;
using Case = v1::StreamResponse::MessageCase;

// One unary call with plain bytes.
std::string Call(const std::shared_ptr<grpc::Channel>& channel,
                 const std::string& method, const std::string& request) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  const grpc::Slice slice(request);
  grpc::ByteBuffer in(&slice, 1), out;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &in, &out,
                 [&](grpc::Status status) { done.set_value(status); });
  const grpc::Status status = done.get_future().get();
  EXPECT_TRUE(status.ok()) << status.error_message();
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!status.ok() || !out.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& part : slices) {
    bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  return bytes;
}

// HealthCheckResponse { status: ... }
constexpr char kServing[] = "\x08\x01";
constexpr char kNotServing[] = "\x08\x02";

std::string Health(const FakeRpcServer& server, const std::string& service) {
  // HealthCheckRequest { service: ... }
  std::string request;
  if (!service.empty()) {
    request = {0x0a, static_cast<char>(service.size())};
    request += service;
  }
  return Call(server.Connect(), "/grpc.health.v1.Health/Check", request);
}

TEST(RpcServerOptions, ValidateNamesTheField) {
  RpcServerOptions options;
  EXPECT_TRUE(options.Validate().ok());
  options.port = 65536;
  EXPECT_THAT(options.Validate().message(), HasSubstr("grpc_port: 65536"));
  options = {};
  options.max_streams_per_connection = 0;
  EXPECT_THAT(options.Validate().message(),
              HasSubstr("max_streams_per_connection: 0"));
}

TEST(RpcServer, HealthIsKeptPerService) {
  FakeRpcServer server;
  for (const char* service :
       {"", "qvg.v1.SessionService", "qvg.v1.ServerService"}) {
    EXPECT_EQ(Health(server, service), kServing) << service;
  }
}

TEST(RpcServer, AFullServerIsNotReadyButAlive) {
  SessionManagerOptions options;
  options.limits.max_sessions = 1;
  FakeRpcServer server(options);
  RpcStream stream(server.Connect());
  ASSERT_TRUE(stream.Start());
  ASSERT_TRUE(stream.ReadUntil(Case::kStarted));
  server.rpc->UpdateHealth();
  EXPECT_EQ(Health(server, "qvg.v1.SessionService"), kNotServing);
  EXPECT_EQ(Health(server, "qvg.v1.ServerService"), kServing);
}

TEST(RpcServer, NotServingIsForGood) {
  FakeRpcServer server;
  server.rpc->SetNotServing();
  server.rpc->UpdateHealth();
  EXPECT_EQ(Health(server, ""), kNotServing);
  EXPECT_EQ(Health(server, "qvg.v1.ServerService"), kNotServing);
}

TEST(RpcServer, APortInUseIsAnErrorThatNamesIt) {
  FakeRpcServer server;
  RpcServerOptions options;
  options.port = server.rpc->port();
  const auto second = RpcServer::Start(options, server.manager.get());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(second.status().message(),
              HasSubstr(std::to_string(server.rpc->port())));
}

TEST(RpcServer, ListensOnAnIpv6Address) {
  FakeRpcServer server;
  RpcServerOptions options;
  options.host = "::1";
  const auto second = RpcServer::Start(options, server.manager.get());
  if (!second.ok()) GTEST_SKIP() << "no IPv6 here: " << second.status();
  EXPECT_GT((*second)->port(), 0);
}

TEST(RpcServer, AConnectionCarriesSoManyStreamsAndNoMore) {
  RpcServerOptions options;
  options.max_streams_per_connection = 3;
  FakeRpcServer server({}, options);
  const auto channel = server.Connect();
  std::vector<std::unique_ptr<RpcStream>> streams;
  for (int i = 0; i < 3; ++i) {
    streams.push_back(std::make_unique<RpcStream>(channel));
    ASSERT_TRUE(streams.back()->Start());
    ASSERT_TRUE(streams.back()->ReadUntil(Case::kStarted));
  }
  auto fourth = std::async(std::launch::async, [&] {
    RpcStream stream(channel);
    stream.Start();
    return stream.ReadUntil(Case::kStarted).has_value();
  });
  // Another connection is served meanwhile.
  RpcStream other(server.Connect());
  ASSERT_TRUE(other.Start(1));
  ASSERT_TRUE(other.ReadUntil(Case::kChunkDone));
  EXPECT_EQ(server.manager->List().size(), 4) << "three and the other";
  streams.clear();
  EXPECT_TRUE(fourth.get()) << "it came when there was room";
}

}  // namespace
}  // namespace qvg
