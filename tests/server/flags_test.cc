#include "server/flags.h"

#include <cstdlib>

#include "absl/flags/reflection.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class FlagsTest : public ::testing::Test {
 protected:
  ~FlagsTest() override { unsetenv("QVG_GRPC_PORT"); }

  // The complaint about `arguments`, that must be one line.
  static std::string Error(const std::vector<std::string>& arguments) {
    const absl::FlagSaver saver;
    const absl::Status status = ParseFlags(arguments).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), Not(HasSubstr("\n")));
    return std::string(status.message());
  }

  absl::FlagSaver saver_;
};

TEST_F(FlagsTest, DefaultsServeLoopback) {
  const auto config = ParseFlags({});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->rpc.host, "127.0.0.1");
  EXPECT_EQ(config->rpc.port, 8001);
  EXPECT_EQ(config->metrics_port, 8002);
  EXPECT_EQ(config->model, "tinyworld");
  EXPECT_EQ(config->model_options.device, "cpu");
  EXPECT_EQ(config->budget_bytes, 0);
  EXPECT_TRUE(config->rpc.reflection);
  EXPECT_EQ(config->sessions.limits.max_sessions, SessionLimits().max_sessions);
  EXPECT_EQ(config->sessions.server_version, "0.1.0");
}

TEST_F(FlagsTest, HyphensAndUnderscoresAreTheSame) {
  const auto config = ParseFlags({"--grpc-port=5", "--metrics_port", "6",
                                  "--kv-budget-bytes=8GiB", "--idle-time=90s",
                                  "--max-chunks=77", "--record=/tmp"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->rpc.port, 5);
  EXPECT_EQ(config->metrics_port, 6);
  EXPECT_EQ(config->budget_bytes, int64_t{8} << 30);
  EXPECT_EQ(config->sessions.idle_time, absl::Seconds(90));
  EXPECT_EQ(config->sessions.limits.max_chunks, 77);
  EXPECT_EQ(config->sessions.record_dir, "/tmp");
}

TEST_F(FlagsTest, AVariableCountsUnlessTheFlagIsGiven) {
  setenv("QVG_GRPC_PORT", "7", 1);
  EXPECT_EQ(ParseFlags({})->rpc.port, 7);
  EXPECT_EQ(ParseFlags({"--grpc-port=8"})->rpc.port, 8);
  setenv("QVG_GRPC_PORT", "many", 1);
  EXPECT_THAT(Error({}), AllOf(HasSubstr("QVG_GRPC_PORT"), HasSubstr("many")));
}

TEST_F(FlagsTest, HelpAndVersionWinOverTheRest) {
  EXPECT_TRUE(ParseFlags({"--grpc-port=5", "--help"})->help);
  EXPECT_TRUE(ParseFlags({"--version"})->version);
}

TEST_F(FlagsTest, EveryFlagIsInTheHelpWithHyphens) {
  const std::string help = HelpText();
  for (const char* flag :
       {"--host=", "--grpc-port=8001", "--kv-budget-bytes=auto",
        "--max-outbox-bytes=16MiB", "--write-stall-time=20s", "--device=cpu"}) {
    EXPECT_THAT(help, HasSubstr(flag));
  }
  EXPECT_THAT(help, Not(HasSubstr("grpc_port")));
  EXPECT_THAT(VersionText(), HasSubstr("qvgd 0."));
}

TEST_F(FlagsTest, WhatIsWrongIsNamed) {
  EXPECT_THAT(Error({"--colour=red"}), HasSubstr("--colour=red"));
  EXPECT_THAT(Error({"colour"}), HasSubstr("\"colour\" is no flag"));
  EXPECT_THAT(Error({"--grpc-port"}), HasSubstr("--grpc-port: its value"));
  EXPECT_THAT(Error({"--grpc-port=x"}), HasSubstr("--grpc-port: \"x\""));
  EXPECT_THAT(Error({"--flagfile=x"}), HasSubstr("--flagfile"))
      << "a flag of Abseil, not of ours";
}

TEST_F(FlagsTest, RangesAreChecked) {
  EXPECT_THAT(Error({"--metrics-port=70000"}), HasSubstr("70000"));
  EXPECT_THAT(Error({"--threads=-1"}), HasSubstr("threads: -1"));
  EXPECT_THAT(Error({"--max-sessions=0"}), HasSubstr("max_sessions: 0"));
  EXPECT_THAT(Error({"--idle-time=0s"}), HasSubstr("idle_time"));
  EXPECT_THAT(Error({"--device=tpu"}), HasSubstr("\"tpu\""));
  EXPECT_THAT(Error({"--device=cuda:x"}), HasSubstr("cuda:x"));
  EXPECT_THAT(Error({"--log-level=loud"}), HasSubstr("loud"));
}

TEST_F(FlagsTest, CudaIsADevice) {
  EXPECT_TRUE(ParseFlags({"--device=cuda"}).ok());
  EXPECT_TRUE(ParseFlags({"--device=cuda:3"}).ok());
}

TEST_F(FlagsTest, OtherHostsNeedAWord) {
  EXPECT_THAT(Error({"--host=0.0.0.0"}), HasSubstr("--allow-insecure"));
  for (const char* host : {"localhost", "127.0.0.2", "::1", "[::1]"}) {
    EXPECT_TRUE(ParseFlags({std::string("--host=") + host}).ok()) << host;
  }
  const auto open = ParseFlags({"--host=0.0.0.0", "--allow-insecure"});
  ASSERT_TRUE(open.ok()) << open.status();
  EXPECT_FALSE(open->rpc.reflection) << "strangers may ask";
}

}  // namespace
}  // namespace qvg
