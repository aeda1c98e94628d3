// Clients that do not read: the transport fills, then the outbox, and nobody
// else is held up.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/rpc_client.h"

namespace qvg {
namespace {

using testing::FakeRpcServer;
using testing::RpcStream;
using Case = v1::StreamResponse::MessageCase;

SessionManagerOptions Small() {
  SessionManagerOptions options;
  options.limits.max_outbox_chunks = 4;
  options.limits.max_credit_chunks = 1000;
  return options;
}

// Serves `chunks` chunks to a client that reads.
void Read(RpcStream& stream, int chunks) {
  for (int i = 0; i < chunks; ++i) {
    ASSERT_TRUE(stream.Credit(1));
    ASSERT_TRUE(stream.ReadUntil(Case::kChunkDone));
  }
}

TEST(StoppedClient, HoldsABoundedOutboxAndDelaysNobody) {
  FakeRpcServer server(Small());
  RpcStream stopped(server.Connect());
  ASSERT_TRUE(stopped.Start(1000));
  RpcStream reading(server.Connect());
  ASSERT_TRUE(reading.Start());
  Read(reading, 300);
  const auto list = server.manager->List();
  ASSERT_EQ(list.size(), 2);
  EXPECT_LE(list[0].outbox_chunks, 4);
  EXPECT_LT(list[0].chunks, 300) << "it did not run on into memory";
  EXPECT_EQ(list[1].chunks, 300);
}

TEST(StoppedClient, GoesOnWhenItReadsAgain) {
  FakeRpcServer server(Small());
  RpcStream stopped(server.Connect());
  ASSERT_TRUE(stopped.Start(200));
  stopped.HalfClose();
  RpcStream reading(server.Connect());
  ASSERT_TRUE(reading.Start());
  Read(reading, 50);
  EXPECT_TRUE(stopped.Finish().ok());
  const auto done = stopped.All(Case::kChunkDone);
  ASSERT_EQ(done.size(), 200);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(done[i].chunk_done().chunk_index(), i);
  }
}

TEST(StoppedClient, IsCutOffWhenAWriteTakesTooLong) {
  FakeRpcServer server(Small());
  RpcStream stopped(server.Connect());
  ASSERT_TRUE(stopped.Start(1000));
  RpcStream reading(server.Connect());
  ASSERT_TRUE(reading.Start());
  Read(reading, 300);
  // Full, and not yet down to half.
  ASSERT_GT(server.manager->List()[0].outbox_chunks, 2);
  server.Pass(absl::Seconds(10));
  // Its newest write is 10 s younger than that of the stopped one.
  ASSERT_TRUE(reading.Ping(1));
  ASSERT_TRUE(reading.ReadUntil(Case::kPong));
  server.Pass(absl::Seconds(10));
  EXPECT_EQ(server.Metric("qvg_write_stalls_total"), 1);
  Read(reading, 1);
  EXPECT_FALSE(stopped.Finish().ok());
  EXPECT_EQ(server.manager->List().size(), 1);
}

}  // namespace
}  // namespace qvg
