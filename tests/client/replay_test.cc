#include "client/replay.h"

#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace qvg {
namespace {

using testing::HasSubstr;

constexpr char kHeader[] =
    R"({"header":{"version":1,"sessionId":"9f","start":{"model":"fake",)"
    R"("seed":"7","maxChunks":9},"framesPerChunk":4,"width":32,"height":16}})"
    "\n";

absl::StatusOr<Recording> Read(const std::string& text) {
  std::istringstream lines(text);
  return ReadRecording(lines);
}

// The line of a chunk whose frames all have `control`.
std::string ChunkLine(int index, const std::string& control) {
  std::string rgb;
  for (int i = 0; i < 4; ++i) {
    const auto frame = FakeServer::Frame(7, 4 * index + i, control);
    rgb.append(frame.begin(), frame.end());
  }
  return absl::StrCat(R"({"chunk":{"chunkIndex":")", index,
                      R"(","controls":[{"name":")", control,
                      R"(","frames":4}],"framesSha256":")",
                      absl::BytesToHexString(Sha256(rgb)), "\"}}\n");
}

std::string GoodRecording() {
  return absl::StrCat(kHeader, ChunkLine(0, "forward"), ChunkLine(1, "left"),
                      ChunkLine(2, "idle"),
                      R"({"end":{"reason":"ENDED_REASON_STOPPED"}})", "\n");
}

TEST(ReadRecording, ReadsEveryLine) {
  auto recording = Read(GoodRecording());
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_EQ(recording->header.start().seed(), 7);
  ASSERT_EQ(recording->chunks.size(), 3);
  EXPECT_EQ(recording->chunks[1].controls(0).name(), "left");
  ASSERT_TRUE(recording->end.has_value());
  EXPECT_EQ(recording->end->reason(), v1::ENDED_REASON_STOPPED);
}

TEST(ReadRecording, TakesACutOffOneAndFieldsOfLaterVersions) {
  auto recording = Read(
      absl::StrCat(kHeader, R"({"chunk":{"chunkIndex":"0","mood":"good"}})",
                   "\n", R"({"note":{}})", "\n"));
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_EQ(recording->chunks.size(), 1);
  EXPECT_FALSE(recording->end.has_value());
}

struct BadRecording {
  std::string text;
  const char* message;
};

class BadRecordingTest : public testing::TestWithParam<BadRecording> {};

TEST_P(BadRecordingTest, IsRefused) {
  auto recording = Read(GetParam().text);
  EXPECT_EQ(recording.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(recording.status().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BadRecordingTest,
    testing::Values(
        BadRecording{"", "empty"}, BadRecording{"\n\n", "empty"},
        BadRecording{"hello\n", "line 1: not a line of a recording"},
        BadRecording{ChunkLine(0, "left"), "line 1: the first line is no"},
        BadRecording{std::string(kHeader) + kHeader, "line 2: a second"},
        BadRecording{kHeader + ChunkLine(1, "left"),
                     "line 2: chunk_index is 1; expected 0"},
        BadRecording{kHeader + ChunkLine(0, "left") + "{\"chunk\":",
                     "line 3: not a line"},
        BadRecording{R"({"header":{"version":2,"framesPerChunk":4}})",
                     "version is 2"},
        BadRecording{R"({"header":{"version":1}})", "frames_per_chunk is 0"}));

class ReplayTest : public testing::Test {
 protected:
  absl::StatusOr<ReplayResult> Run(FakeServer& server,
                                   const std::string& text) {
    auto recording = Read(text);
    if (!recording.ok()) return recording.status();
    auto client = Client::Connect(server.address());
    if (!client.ok()) return client.status();
    return Replay(**client, *recording, interrupts_, nullptr);
  }

  InterruptWatcher interrupts_;
};

TEST_F(ReplayTest, GivesTheSameFrames) {
  FakeServer server;
  auto result = Run(server, GoodRecording());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->chunks, 3);
  EXPECT_FALSE(result->first_difference.has_value());
  EXPECT_EQ(server.requests()[0].start().seed(), 7);
}

TEST_F(ReplayTest, NamesTheFirstChunkThatDiffers) {
  FakeServer server;
  std::string text = GoodRecording();
  // The control of chunk 1, but not its hash.
  text.replace(text.find("\"left\""), 6, "\"right\"");
  auto result = Run(server, text);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->chunks, 2);
  EXPECT_EQ(result->first_difference, 1);
  EXPECT_NE(result->recorded_sha256, result->replayed_sha256);
}

TEST_F(ReplayTest, SendsPromptsWithTheirChunk) {
  FakeServer server;
  std::string text = GoodRecording();
  text.replace(text.find("\"controls\"", text.find("\"1\"")), 0,
               "\"prompt\":\"a red room\",");
  ASSERT_TRUE(Run(server, text).ok());
  int chunks = 0;
  for (const v1::StreamRequest& request : server.requests()) {
    chunks += request.has_credit();
    if (!request.has_prompt()) continue;
    EXPECT_EQ(request.prompt().text(), "a red room");
    EXPECT_EQ(chunks, 1);
  }
}

TEST_F(ReplayTest, FailsIfTheServerRefusesOrEnds) {
  FakeBehavior behavior;
  behavior.end_after_chunks = 1;
  FakeServer ending(behavior);
  EXPECT_TRUE(absl::IsAborted(Run(ending, GoodRecording()).status()));
  behavior.reject_actions = "no";
  FakeServer rejecting(behavior);
  EXPECT_TRUE(
      absl::IsInvalidArgument(Run(rejecting, GoodRecording()).status()));
}

}  // namespace
}  // namespace qvg
