// A client that does not read, or an encoder that does not come on, holds up
// nobody else.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_server.h"

namespace qvg {
namespace {

using testing::FakeReader;
using testing::FakeServer;

TEST(StoppedReader, FillsItsOutboxAndNoMore) {
  SessionManagerOptions options;
  options.limits.max_outbox_chunks = 4;
  FakeServer server(options);
  FakeReader stopped(server.manager.get(), FakeServer::Request(64));
  // Beside it a session that reads, so long that the other could have run
  // many times over.
  FakeReader reading(server.manager.get(), FakeServer::Request(64));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(reading.ReadUntil<ChunkReport>());
  const SessionSummary summary = server.manager->List().at(0);
  EXPECT_EQ(summary.name, stopped.handle().name());
  EXPECT_EQ(summary.outbox_chunks, 4);
  EXPECT_EQ(summary.chunks, 4);
  EXPECT_EQ(summary.state, "waiting");
  EXPECT_EQ(summary.credit, 60) << "it keeps its credit";
}

TEST(StoppedReader, GoesOnWhereItStopped) {
  SessionManagerOptions options;
  options.limits.max_outbox_chunks = 4;
  FakeServer server(options);
  FakeReader stopped(server.manager.get(), FakeServer::Request(12));
  FakeReader reading(server.manager.get(), FakeServer::Request(20));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(reading.ReadUntil<ChunkReport>());
  stopped.handle().InputClosed();
  stopped.ReadAll();
  const auto reports = stopped.All<ChunkReport>();
  ASSERT_EQ(reports.size(), 12);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(reports[i].chunk, i);
}

TEST(StoppedReader, NeverHoldsMoreThanItsReservation) {
  SessionManagerOptions options;
  options.limits.max_outbox_bytes = 1 << 16;
  FakeServer server(options);
  FakeReader stopped(server.manager.get(), FakeServer::Request(64));
  FakeReader reading(server.manager.get(), FakeServer::Request(64));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(reading.ReadUntil<ChunkReport>());
  const SessionSummary summary = server.manager->List().at(0);
  const int64_t chunk = 64 * 32 * 3 * 4;
  EXPECT_GE(summary.outbox_bytes, 1 << 16);
  EXPECT_LT(summary.outbox_bytes, (1 << 16) + 2 * chunk);
  EXPECT_FALSE(stopped.final_status());
}

TEST(StoppedReader, ClientsThatOnlySendAreCutOff) {
  FakeServer server;
  FakeReader reader(server.manager.get(), FakeServer::Request());
  for (uint64_t i = 0; i < Outbox::kMaxReplies + 1; ++i) {
    reader.handle().Ping(i);
  }
  reader.ReadAll();
  ASSERT_TRUE(reader.final_status());
  EXPECT_EQ(reader.final_status()->code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace qvg
