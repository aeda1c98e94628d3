#include "server/rpc/services.h"

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "tests/fakes/rpc_client.h"

namespace qvg {
namespace {

using testing::FakeRpcServer;
using ::testing::HasSubstr;
using testing::RpcStream;
using Case = v1::StreamResponse::MessageCase;

TEST(Services, ServerInfoShowsBudgetAndSessions) {
  FakeRpcServer server;
  const auto channel = server.Connect();
  RpcStream stream(channel);
  ASSERT_TRUE(stream.Start());
  ASSERT_TRUE(stream.ReadUntil(Case::kStarted));
  grpc::ClientContext context;
  v1::GetServerInfoResponse info;
  ASSERT_TRUE(v1::ServerService::NewStub(channel)
                  ->GetServerInfo(&context, {}, &info)
                  .ok());
  EXPECT_EQ(info.version(), "test");
  EXPECT_EQ(info.device(), "cpu: fake");
  EXPECT_EQ(info.budget_bytes(), 256 << 20);
  EXPECT_GT(info.reserved_bytes(), 0);
  EXPECT_LT(info.used_bytes(), info.reserved_bytes());
  EXPECT_EQ(info.sessions(), 1);
  EXPECT_EQ(info.limits().max_message_bytes(), 1 << 20);
  EXPECT_FALSE(info.draining());
}

TEST(Services, ListModelsHasTheModel) {
  FakeRpcServer server;
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  ASSERT_TRUE(v1::ServerService::NewStub(server.Connect())
                  ->ListModels(&context, {}, &response)
                  .ok());
  ASSERT_EQ(response.models_size(), 1);
  EXPECT_EQ(response.models(0).name(), "fake");
  EXPECT_EQ(response.models(0).session_bytes(),
            server.manager->DefaultSessionBytes().cache);
}

TEST(Services, ListSessionsShowsEachOne) {
  FakeRpcServer server;
  const auto channel = server.Connect();
  RpcStream stream(channel);
  ASSERT_TRUE(stream.Start(1));
  ASSERT_TRUE(stream.ReadUntil(Case::kChunkDone));
  grpc::ClientContext context;
  v1::ListSessionsResponse response;
  ASSERT_TRUE(v1::SessionService::NewStub(channel)
                  ->ListSessions(&context, {}, &response)
                  .ok());
  ASSERT_EQ(response.sessions_size(), 1);
  EXPECT_EQ(response.sessions(0).session_id(),
            stream.All(Case::kStarted)[0].started().session_id());
  EXPECT_EQ(response.sessions(0).model(), "fake");
  EXPECT_EQ(response.sessions(0).frames(), 4);
}

TEST(Services, ClosingAnUnknownSessionIsNotFound) {
  FakeRpcServer server;
  grpc::ClientContext context;
  v1::CloseSessionRequest request;
  request.set_session_id("nobody");
  v1::CloseSessionResponse response;
  const grpc::Status status = v1::SessionService::NewStub(server.Connect())
                                  ->CloseSession(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("session_id: \"nobody\""));
}

TEST(Services, AFullServerSaysWhenToComeAgain) {
  SessionManagerOptions options;
  options.limits.max_sessions = 1;
  FakeRpcServer server(options);
  RpcStream first(server.Connect());
  ASSERT_TRUE(first.Start());
  ASSERT_TRUE(first.ReadUntil(Case::kStarted));
  RpcStream second(server.Connect());
  ASSERT_TRUE(second.Start());
  const grpc::Status status = second.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("the limit is 1"));
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(details.details(0).UnpackTo(&retry));
  EXPECT_GE(retry.retry_delay().seconds(), 1);
}

}  // namespace
}  // namespace qvg
