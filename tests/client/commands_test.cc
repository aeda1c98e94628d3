#include "client/commands.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace qvg {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Output {
  int exit_code;
  std::string out;
  std::string err;
};

Output RunCommand(int (*command)(const Arguments&),
                  const Arguments& arguments) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int exit_code = command(arguments);
  std::fflush(stdout);
  return {exit_code, testing::internal::GetCapturedStdout(),
          testing::internal::GetCapturedStderr()};
}

size_t Lines(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

struct BadUsage {
  int (*command)(const Arguments&);
  Arguments arguments;
  const char* message;
};

class BadUsageTest : public testing::TestWithParam<BadUsage> {};

TEST_P(BadUsageTest, IsOneLineAndExitCode2) {
  const Output output = RunCommand(GetParam().command, GetParam().arguments);
  EXPECT_EQ(output.exit_code, kExitUsage);
  EXPECT_EQ(output.out, "");
  EXPECT_EQ(Lines(output.err), 1) << output.err;
  EXPECT_THAT(output.err, StartsWith("qvg: INVALID_ARGUMENT: "));
  EXPECT_THAT(output.err, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Commands, BadUsageTest,
    testing::Values(
        BadUsage{&PlayCommand, {"--colour=red"}, "unknown flag --colour"},
        BadUsage{&PlayCommand, {"extra"}, "usage: qvg play"},
        BadUsage{&PlayCommand, {"--frames=0"}, "--frames is 0"},
        BadUsage{&PlayCommand, {"--frames=-5"}, "--frames is \"-5\""},
        BadUsage{&PlayCommand, {"--steps=-1"}, "--steps is"},
        BadUsage{&PlayCommand, {"--credit=0"}, "--credit is 0"},
        BadUsage{&PlayCommand, {"--format=gif"}, "--format is \"gif\""},
        BadUsage{&PlayCommand, {"--script=left*0"}, "script has \"left*0\""},
        BadUsage{&PlayCommand, {"--codec=qvg:x=1"}, "codec has no field"},
        BadUsage{&PlayCommand, {"--sheet_frames=0"}, "--sheet-frames is 0"},
        BadUsage{&PlayCommand, {"--out=-", "--json"}, "standard output"},
        BadUsage{&ReplayCommand, {}, "usage: qvg replay FILE"},
        BadUsage{&ReplayCommand, {"/no/such/file"}, "FILE is \"/no/such/file"},
        BadUsage{&ModelsCommand, {"--seed=1"}, "unknown flag --seed"},
        BadUsage{&CloseCommand, {}, "usage: qvg close SESSION"}));

TEST(Commands, HelpTellsTheFlags) {
  for (auto command : {&PlayCommand, &ReplayCommand, &ModelsCommand,
                       &InfoCommand, &SessionsCommand, &CloseCommand}) {
    const Output output = RunCommand(command, {"--help"});
    EXPECT_EQ(output.exit_code, kExitOk);
    EXPECT_THAT(output.out, HasSubstr("--server"));
    EXPECT_THAT(output.out, HasSubstr("usage: qvg "));
  }
  EXPECT_THAT(RunCommand(&PlayCommand, {"--help"}).out,
              HasSubstr("frames_hash"));
}

TEST(Commands, ServerComesFromTheEnvironment) {
  unsetenv("QVG_SERVER");
  EXPECT_EQ(DefaultServer(), "127.0.0.1:8001");
  setenv("QVG_SERVER", "example.org:1", 1);
  EXPECT_EQ(DefaultServer(), "example.org:1");
  unsetenv("QVG_SERVER");
}

class CommandsTest : public testing::Test {
 protected:
  Output Ask(int (*command)(const Arguments&), Arguments arguments) {
    arguments.push_back("--server=" + server_.address());
    return RunCommand(command, arguments);
  }

  static google::protobuf::Struct Json(const std::string& text) {
    google::protobuf::Struct json;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(text, &json).ok())
        << text;
    return json;
  }

  FakeServer server_;
};

TEST_F(CommandsTest, ModelsAreListed) {
  const Output output = Ask(&ModelsCommand, {});
  EXPECT_EQ(output.exit_code, kExitOk);
  EXPECT_THAT(output.out, HasSubstr("fake: a picture of numbers"));
  EXPECT_THAT(output.out, HasSubstr("idle, forward, left, right"));
  EXPECT_EQ(Json(Ask(&ModelsCommand, {"--json"}).out).fields().count("models"),
            1);
}

TEST_F(CommandsTest, InfoAndSessionsAreShown) {
  EXPECT_THAT(Ask(&InfoCommand, {}).out,
              HasSubstr("qvgd 9.9.9 on fake device"));
  const Output sessions = Ask(&SessionsCommand, {});
  EXPECT_EQ(Lines(sessions.out), 2);
  EXPECT_THAT(sessions.out, HasSubstr("2.0 KiB"));
  EXPECT_EQ(
      Json(Ask(&SessionsCommand, {"--json"}).out).fields().count("sessions"),
      1);
}

TEST_F(CommandsTest, CloseEndsOneSession) {
  EXPECT_EQ(Ask(&CloseCommand, {"s1"}).exit_code, kExitOk);
  const Output unknown = Ask(&CloseCommand, {"s7"});
  EXPECT_EQ(unknown.exit_code, kExitFailed);
  EXPECT_EQ(unknown.err, "qvg: NOT_FOUND: session_id is unknown\n");
}

TEST_F(CommandsTest, PlayPrintsJsonAlone) {
  const Output output =
      Ask(&PlayCommand, {"--frames=8", "--json", "--quiet", "--format=raw"});
  EXPECT_EQ(output.exit_code, kExitOk);
  EXPECT_EQ(output.err, "");
  EXPECT_EQ(Lines(output.out), 1);
  EXPECT_EQ(Json(output.out).fields().at("frames").number_value(), 8);
}

TEST_F(CommandsTest, PlayShowsProgressAndASummary) {
  const Output output = Ask(&PlayCommand, {"--frames=16", "--script="});
  EXPECT_EQ(output.exit_code, kExitOk);
  EXPECT_EQ(Lines(output.err), 4);
  EXPECT_THAT(output.out, HasSubstr("fake 32x16, codec bf16, seed 0, 3 steps"));
  EXPECT_THAT(output.out, HasSubstr("not kept (no --out)"));
}

TEST_F(CommandsTest, PlayWritesToStandardOutput) {
  const Output output =
      Ask(&PlayCommand, {"--frames=4", "--format=raw", "--out=-"});
  EXPECT_EQ(output.exit_code, kExitOk);
  EXPECT_EQ(output.out.size(), 4 * 32 * 16 * 3);
}

TEST_F(CommandsTest, PlayTellsWhatTheServerSays) {
  const Output output = Ask(&PlayCommand, {"--model=wan"});
  EXPECT_EQ(output.exit_code, kExitFailed);
  EXPECT_EQ(Lines(output.err), 1);
  EXPECT_THAT(output.err, HasSubstr("NOT_FOUND: model is \"wan\""));
}

TEST_F(CommandsTest, ReplayTellsThatFramesDiffer) {
  const std::string path = testing::TempDir() + "/qvg_commands_test.jsonl";
  std::ofstream(path) << R"({"header":{"version":1,"framesPerChunk":4,)"
                      << R"("device":"tpu","serverVersion":"1"}})"
                      << "\n"
                      << R"({"chunk":{"chunkIndex":"0","framesSha256":"00"}})"
                      << "\n";
  const Output output = Ask(&ReplayCommand, {path, "--quiet"});
  EXPECT_EQ(output.exit_code, kExitDifferent);
  EXPECT_THAT(output.out, StartsWith("chunk 0 differs: recorded 00, replayed"));
  EXPECT_THAT(output.out, HasSubstr("\"tpu\", replayed on \"fake device\""));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace qvg
