// What tools of others see: probes, Prometheus, gRPC health and reflection.

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/daemon.h"

namespace qvg::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

class ProbesTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    daemon_ = Daemon::Start();
    if (daemon_ != nullptr) daemon_->Play({"--frames=8"});
  }
  static void TearDownTestSuite() { daemon_.reset(); }
  void SetUp() override { ASSERT_NE(daemon_, nullptr); }

  static Finished Grpcurl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"grpcurl", "-plaintext"});
    return RunProgram(arguments);
  }

  static std::unique_ptr<Daemon> daemon_;
};

std::unique_ptr<Daemon> ProbesTest::daemon_;

TEST_F(ProbesTest, HttpProbesAnswer) {
  EXPECT_EQ(daemon_->Get("/healthz").status, 200);
  EXPECT_EQ(daemon_->Get("/readyz").status, 200);
  EXPECT_EQ(daemon_->Get("/else").status, 404);
}

TEST_F(ProbesTest, MetricsCountWhatWasPlayed) {
  EXPECT_EQ(daemon_->Metric("qvg_frames_total"), 8);
  EXPECT_EQ(daemon_->Metric("qvg_sessions_opened_total"), 1);
  EXPECT_EQ(daemon_->Metric("qvg_ttff_seconds_count"), 1);
  EXPECT_GT(daemon_->Metric("qvg_sent_bytes_total"), 0);
  for (const char* stage :
       {"queue", "denoise", "kv_commit", "pack", "decode", "encode"}) {
    EXPECT_EQ(daemon_->Metric(absl::StrCat("qvg_chunk_seconds_count{stage=\"",
                                           stage, "\"}")),
              2)
        << stage;
  }
  EXPECT_EQ(daemon_->Metric("qvg_deadline_total{result=\"met\"}") +
                daemon_->Metric("qvg_deadline_total{result=\"missed\"}") +
                daemon_->Metric("qvg_deadline_total{result=\"infeasible\"}"),
            2);
  EXPECT_GT(daemon_->Metric("qvg_pool_bytes{state=\"total\",tier=\"device\"}"),
            0);
  EXPECT_EQ(daemon_->Metric("qvg_pool_bytes{state=\"used\",tier=\"device\"}"),
            0);
  EXPECT_THAT(daemon_->Get("/metrics").body, Not(HasSubstr("session_id")));
}

TEST_F(ProbesTest, PromtoolFindsNothing) {
  if (!Installed("promtool")) {
    GTEST_SKIP() << "no promtool (Debian package prometheus)";
  }
  TempFolder folder;
  std::ofstream(folder / "metrics") << daemon_->Get("/metrics").body;
  const Finished check = RunProgram(
      {"sh", "-c", "promtool check metrics < " + folder / "metrics"});
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
  EXPECT_EQ(check.err, "");
}

TEST_F(ProbesTest, GrpcurlListsDescribesAndReadsHealth) {
  if (!Installed("grpcurl")) {
    GTEST_SKIP() << "no grpcurl (deploy/setup.sh --tools)";
  }
  const std::string address = daemon_->address();
  const Finished list = Grpcurl({address, "list"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_THAT(list.out, HasSubstr("qvg.v1.SessionService"));
  EXPECT_THAT(list.out, HasSubstr("qvg.v1.ServerService"));
  const Finished describe =
      Grpcurl({address, "describe", "qvg.v1.SessionService"});
  EXPECT_THAT(describe.out, HasSubstr("rpc Stream"));
  for (const char* service : {"", "qvg.v1.SessionService"}) {
    const Finished health =
        Grpcurl({"-d", absl::StrCat("{\"service\":\"", service, "\"}"), address,
                 "grpc.health.v1.Health/Check"});
    EXPECT_THAT(health.out, HasSubstr("\"SERVING\"")) << health.err;
  }
  EXPECT_THAT(Grpcurl({address, "qvg.v1.ServerService/GetServerInfo"}).out,
              HasSubstr("\"version\""));
}

}  // namespace
}  // namespace qvg::e2e
