// SIGTERM ends a server in order, SIGKILL of a client costs nobody else.

#include <signal.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/daemon.h"

namespace qvg::e2e {
namespace {

using testing::HasSubstr;

// Waits until a file has something in it; false if its writer ended before.
bool AwaitBytes(Process& writer, const std::string& path) {
  while (ReadFile(path).empty()) {
    if (writer.Wait(absl::Milliseconds(20)).has_value()) return false;
  }
  return true;
}

TEST(DrainTest, SigtermFinishesTheChunkAndExits) {
  TempFolder folder;
  auto daemon = Daemon::Start();
  ASSERT_NE(daemon, nullptr);
  auto play = daemon->StartQvg(
      {"play", "--frames=4000", "--quiet", "--out=" + folder / "a.mp4"});
  ASSERT_TRUE(AwaitBytes(*play, folder / "a.mp4")) << play->Err();

  daemon->process().Signal(SIGTERM);
  auto client = play->Wait(absl::Seconds(30));
  ASSERT_TRUE(client.has_value());
  EXPECT_EQ(client->exit_code, 1);
  EXPECT_THAT(client->err, HasSubstr("DRAINING"));
  auto server = daemon->process().Wait(absl::Seconds(30));
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(server->exit_code, 0) << server->err;
  EXPECT_EQ(daemon->Get("/healthz").status, 0) << "the port is still open";
}

TEST(DrainTest, AnIdleServerExitsAtOnce) {
  auto daemon = Daemon::Start();
  ASSERT_NE(daemon, nullptr);
  daemon->process().Signal(SIGTERM);
  auto server = daemon->process().Wait(absl::Seconds(4));
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(server->exit_code, 0) << server->err;
}

TEST(DrainTest, AKilledClientLeavesNothing) {
  TempFolder folder;
  auto daemon = Daemon::Start();
  ASSERT_NE(daemon, nullptr);
  auto play = daemon->StartQvg(
      {"play", "--frames=4000", "--quiet", "--out=" + folder / "a.mp4"});
  ASSERT_TRUE(AwaitBytes(*play, folder / "a.mp4")) << play->Err();
  play->Signal(SIGKILL);
  ASSERT_TRUE(play->Wait(absl::Seconds(10)).has_value());
  EXPECT_TRUE(daemon->BecomesEmpty());
}

}  // namespace
}  // namespace qvg::e2e
