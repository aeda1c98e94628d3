#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/rpc/stream_reactor.h"
#include "tests/fakes/rpc_client.h"

namespace qvg {
namespace {

using testing::FakeRpcServer;
using testing::RpcStream;
using Case = v1::StreamResponse::MessageCase;

TEST(Stream, AWholeSession) {
  FakeRpcServer server;
  RpcStream stream(server.Connect());
  ASSERT_TRUE(stream.Start());
  ASSERT_TRUE(stream.Act(1, "forward", 6, 0));
  ASSERT_TRUE(stream.Credit(2));
  stream.HalfClose();
  EXPECT_TRUE(stream.Finish().ok());
  const auto started = stream.All(Case::kStarted);
  ASSERT_EQ(started.size(), 1);
  EXPECT_EQ(started[0].started().model(), "fake");
  EXPECT_EQ(started[0].started().max_chunks(), 1024);
  EXPECT_EQ(started[0].started().cache_spec().codec(), "bf16");
  EXPECT_GT(started[0].started().reserved_bytes(), 0);
  EXPECT_EQ(stream.All(Case::kChunkDone).size(), 2);
  ASSERT_EQ(stream.All(Case::kEnded).size(), 1);
  EXPECT_EQ(stream.All(Case::kEnded)[0].ended().reason(),
            v1::ENDED_REASON_STOPPED);
  EXPECT_EQ(stream.All(Case::kEnded)[0].ended().frames(), 8);
}

TEST(Stream, MediaOfAChunkComeBeforeItsReportInSmallParts) {
  FakeRpcServer server;
  RpcStream stream(server.Connect());
  ASSERT_TRUE(stream.Start(3));
  stream.HalfClose();
  uint64_t next = 0;
  std::string media;
  while (auto response = stream.Read()) {
    if (response->has_media()) {
      EXPECT_EQ(response->media().chunk_index(), next);
      EXPECT_LE(response->media().data().size(), kMaxPartBytes);
      media += response->media().data();
    } else if (response->has_chunk_done()) {
      EXPECT_EQ(response->chunk_done().chunk_index(), next++);
      const Sha256Digest hash = Sha256(media);
      EXPECT_EQ(response->chunk_done().frames_sha256(),
                std::string(hash.begin(), hash.end()));
      media.clear();
    }
  }
  EXPECT_EQ(next, 3);
}

TEST(Stream, ReceiptsTellWhenAnActionIsApplied) {
  FakeRpcServer server;
  RpcStream stream(server.Connect());
  ASSERT_TRUE(stream.Start(1));
  ASSERT_TRUE(stream.ReadUntil(Case::kChunkDone));
  ASSERT_TRUE(stream.Act(42, "left"));
  const auto received = stream.ReadUntil(Case::kReceipt);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->receipt().state(), v1::RECEIPT_STATE_RECEIVED);
  ASSERT_TRUE(stream.Credit(1));
  const auto applied = stream.ReadUntil(Case::kReceipt);
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->receipt().state(), v1::RECEIPT_STATE_APPLIED);
  EXPECT_EQ(applied->receipt().chunk_index(), 1);
  EXPECT_EQ(applied->receipt().event_id(), 42);
}

TEST(Stream, PingsAreAnsweredWhilePaused) {
  FakeRpcServer server;
  RpcStream stream(server.Connect());
  ASSERT_TRUE(stream.Start());
  v1::StreamRequest request;
  request.mutable_pause()->set_paused(true);
  ASSERT_TRUE(stream.Send(request));
  ASSERT_TRUE(stream.Credit(1));
  ASSERT_TRUE(stream.Ping(77));
  const auto pong = stream.ReadUntil(Case::kPong);
  ASSERT_TRUE(pong);
  EXPECT_EQ(pong->pong().nonce(), 77);
  EXPECT_TRUE(stream.All(Case::kChunkDone).empty());
  request.mutable_pause()->set_paused(false);
  ASSERT_TRUE(stream.Send(request));
  EXPECT_TRUE(stream.ReadUntil(Case::kChunkDone));
}

TEST(Stream, StopAndAckAndPromptAreUnderstood) {
  FakeRpcServer server;
  RpcStream stream(server.Connect());
  ASSERT_TRUE(stream.Start(1));
  ASSERT_TRUE(stream.ReadUntil(Case::kChunkDone));
  v1::StreamRequest request;
  request.mutable_ack()->set_chunk_index(0);
  ASSERT_TRUE(stream.Send(request));
  request.mutable_prompt()->set_event_id(1);
  request.mutable_prompt()->set_text("red");
  ASSERT_TRUE(stream.Send(request));
  request.mutable_stop();
  ASSERT_TRUE(stream.Send(request));
  EXPECT_TRUE(stream.Finish().ok());
  const auto receipts = stream.All(Case::kReceipt);
  ASSERT_EQ(receipts.size(), 2);
  EXPECT_EQ(receipts[1].receipt().state(), v1::RECEIPT_STATE_REJECTED);
  EXPECT_EQ(receipts[1].receipt().reason(), "the session ends: stopped");
}

TEST(Stream, SameInputsGiveTheSameFramesInEveryFormat) {
  FakeRpcServer server;
  const auto run = [&](v1::OutputFormat format) {
    RpcStream stream(server.Connect());
    EXPECT_TRUE(stream.Start(3, format));
    stream.HalfClose();
    EXPECT_TRUE(stream.Finish().ok());
    return stream.Hashes();
  };
  const auto raw = run(v1::OUTPUT_FORMAT_RAW_RGB24);
  EXPECT_EQ(raw.size(), 3);
  if (!MediaFormatSupported(MediaFormat::kH264Fmp4)) return;
  EXPECT_EQ(run(v1::OUTPUT_FORMAT_H264_FMP4), raw);
  EXPECT_EQ(run(v1::OUTPUT_FORMAT_JPEG), raw);
}

TEST(Stream, ASessionThatNeverStartsIsEnded) {
  RpcServerOptions options;
  options.start_time = absl::Milliseconds(1);
  FakeRpcServer server({}, options);
  RpcStream stream(server.Connect());
  EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST(Stream, AnOperatorCanCloseIt) {
  FakeRpcServer server;
  const auto channel = server.Connect();
  RpcStream stream(channel);
  ASSERT_TRUE(stream.Start());
  const auto started = stream.ReadUntil(Case::kStarted);
  ASSERT_TRUE(started);
  grpc::ClientContext context;
  v1::CloseSessionRequest request;
  request.set_session_id(started->started().session_id());
  v1::CloseSessionResponse response;
  EXPECT_TRUE(v1::SessionService::NewStub(channel)
                  ->CloseSession(&context, request, &response)
                  .ok());
  EXPECT_TRUE(stream.Finish().ok());
  EXPECT_EQ(stream.All(Case::kEnded).at(0).ended().reason(),
            v1::ENDED_REASON_CLOSED);
}

}  // namespace
}  // namespace qvg
