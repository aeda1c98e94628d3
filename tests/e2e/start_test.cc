// What keeps a server from starting is one line, an exit code and nothing else.

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/daemon.h"

namespace qvg::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

// Starts a server that must not start; what it says.
std::string Refusal(const std::vector<std::string>& flags) {
  const Finished finished = RunProgram(DaemonCommand(flags));
  EXPECT_GT(finished.exit_code, 0) << "signal " << finished.signal;
  EXPECT_EQ(finished.out, "");
  const std::vector<std::string> lines =
      absl::StrSplit(finished.err, '\n', absl::SkipEmpty());
  EXPECT_EQ(lines.size(), 1) << finished.err;
  return finished.err;
}

struct BadFlag {
  const char* flag;
  const char* message;
};

class BadFlagTest : public testing::TestWithParam<BadFlag> {};

TEST_P(BadFlagTest, IsNamedInOneLine) {
  EXPECT_THAT(Refusal({GetParam().flag}), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Flags, BadFlagTest,
    testing::Values(BadFlag{"--colour=red", "--colour"},
                    BadFlag{"--grpc-port=many", "grpc-port"},
                    BadFlag{"--grpc_port=70000", "70000"},
                    BadFlag{"--host=0.0.0.0", "--allow-insecure"},
                    BadFlag{"--device=abacus", "abacus"},
                    BadFlag{"--device=cuda:99", "cuda"},
                    BadFlag{"--model=sora", "sora"},
                    BadFlag{"--kv-budget-bytes=much", "kv-budget-bytes"},
                    BadFlag{"--kv-budget-bytes=1KiB", "kv-budget-bytes"},
                    BadFlag{"--max-sessions=0", "max_sessions"},
                    BadFlag{"--record=/dev/null/folder", "record"}));

TEST(StartTest, PortsInUseAreNamed) {
  auto daemon = Daemon::Start();
  ASSERT_NE(daemon, nullptr);
  for (const auto& [flag, address] :
       {std::pair("--grpc-port=", daemon->address()),
        std::pair("--metrics-port=", daemon->metrics_address())}) {
    const std::string port = address.substr(address.rfind(':') + 1);
    EXPECT_THAT(Refusal({flag + port}), HasSubstr(port));
  }
  EXPECT_EQ(daemon->Get("/readyz").status, 200);
}

TEST(StartTest, VersionAndHelpAreShown) {
  const Finished version = RunProgram(DaemonCommand({"--version"}));
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, HasSubstr("qvgd "));
  EXPECT_THAT(RunProgram(DaemonCommand({"--help"})).out,
              HasSubstr("--kv-budget-bytes"));
  EXPECT_EQ(RunProgram({Built("qvg"), "--version"}).exit_code, 0);
}

class WeightsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HasRealModel()) GTEST_SKIP() << "this build has no model";
    weights_ = ReadFile("deploy/models/tinyworld.safetensors");
    ASSERT_GT(weights_.size(), 1000);
  }

  // What a server says to weights of these bytes.
  std::string RefusalOf(const std::string& bytes) {
    std::ofstream(folder_ / "damaged.safetensors", std::ios::binary) << bytes;
    const std::string refusal =
        Refusal({"--weights=" + folder_ / "damaged.safetensors"});
    EXPECT_THAT(refusal, Not(HasSubstr("terminate")));
    return refusal;
  }

  TempFolder folder_;
  std::string weights_;
};

TEST_F(WeightsTest, MissingOnesAreNamed) {
  EXPECT_THAT(Refusal({"--weights=/no/such/file"}), HasSubstr("/no/such/file"));
}

TEST_F(WeightsTest, DamagedOnesAreNamed) {
  EXPECT_THAT(RefusalOf(""), HasSubstr("damaged.safetensors"));
  EXPECT_THAT(RefusalOf("garbage"), HasSubstr("damaged.safetensors"));
  EXPECT_THAT(RefusalOf(weights_.substr(0, weights_.size() / 2)),
              HasSubstr("damaged.safetensors"));
  std::string header = weights_;
  header[20] ^= 0x55;
  EXPECT_THAT(RefusalOf(header), HasSubstr("damaged.safetensors"));
}

}  // namespace
}  // namespace qvg::e2e
