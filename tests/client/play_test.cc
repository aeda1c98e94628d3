#include "client/play.h"

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/picture.h"
#include "client/play_summary.h"
#include "client/sha256.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace qvg {
namespace {

using testing::HasSubstr;

class PlayTest : public testing::Test {
 protected:
  PlayTest() : folder_(testing::TempDir() + "/qvg_play_XXXXXX") {
    folder_ = mkdtemp(folder_.data());
    options_.frames = 16;
    options_.script = "forward*6,left*4";
  }
  ~PlayTest() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<PlaySummary> Run(FakeServer& server) {
    auto client = Client::Connect(server.address());
    if (!client.ok()) return client.status();
    return Play(**client, options_, interrupts_, nullptr);
  }

  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  // Before any other thread.
  InterruptWatcher interrupts_;
  std::string folder_;
  PlayOptions options_;
};

TEST_F(PlayTest, KeepsAnMp4AndASheet) {
  FakeServer server;
  options_.out = folder_ + "/a.mp4";
  options_.sheet = folder_ + "/a.png";
  options_.sheet_frames = 4;
  auto summary = Run(server);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->frames, 16);
  EXPECT_EQ(summary->chunk_s.size(), 4);
  auto frames = DecodePictures(Read("a.mp4"));
  ASSERT_TRUE(frames.ok()) << frames.status();
  EXPECT_EQ(frames->size(), 16);
  auto sheet = DecodePictures(Read("a.png"));
  ASSERT_TRUE(sheet.ok()) << sheet.status();
  EXPECT_EQ((*sheet)[0].width, 2 * FakeServer::kWidth + 2);
}

TEST_F(PlayTest, FollowsTheScript) {
  FakeServer server;
  options_.format = v1::OUTPUT_FORMAT_RAW_RGB24;
  options_.out = folder_ + "/a.rgb";
  options_.seed = 3;
  ASSERT_TRUE(Run(server).ok());
  std::string expected;
  for (int frame = 0; frame < 16; ++frame) {
    const char* control = frame < 6 ? "forward" : frame < 10 ? "left" : "idle";
    const auto picture = FakeServer::Frame(3, frame, control);
    expected.append(picture.begin(), picture.end());
  }
  EXPECT_EQ(Read("a.rgb"), expected);
}

TEST_F(PlayTest, SendsTheScriptBeforeAnyCredit) {
  FakeServer server;
  ASSERT_TRUE(Run(server).ok());
  const auto requests = server.requests();
  ASSERT_GE(requests.size(), 3);
  EXPECT_EQ(requests[0].start().first_credit(), 0);
  EXPECT_EQ(requests[0].start().max_chunks(), 4);
  EXPECT_TRUE(requests[1].has_action());
  EXPECT_TRUE(requests[1].action().has_start_frame());
  EXPECT_TRUE(requests[2].has_credit());
}

TEST_F(PlayTest, RoundsFramesUpAndCutsTheScript) {
  FakeServer server;
  options_.frames = 5;
  options_.script = "forward*100";
  auto summary = Run(server);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->frames, 8);
  EXPECT_EQ(server.requests()[1].action().controls(0).frames(), 8);
}

TEST_F(PlayTest, TakesATourByItself) {
  FakeServer server;
  options_.script.reset();
  ASSERT_TRUE(Run(server).ok());
  EXPECT_EQ(server.requests()[1].action().controls(0).name(), "forward");
}

TEST_F(PlayTest, StaysWithinTheServersCreditLimit) {
  FakeServer server;
  options_.credit = 100;
  options_.frames = 80;
  ASSERT_TRUE(Run(server).ok());
  EXPECT_EQ(server.requests()[2].credit().chunks(), 8);
}

TEST_F(PlayTest, HashDependsOnFramesAlone) {
  FakeServer server;
  const auto hash = [&](v1::OutputFormat format, uint64_t seed,
                        const char* script) {
    options_.format = format;
    options_.seed = seed;
    options_.script = script;
    auto summary = Run(server);
    EXPECT_TRUE(summary.ok()) << summary.status();
    return summary->FramesHash();
  };
  const auto raw = v1::OUTPUT_FORMAT_RAW_RGB24;
  const std::string once = hash(raw, 1, "left*8");
  EXPECT_EQ(once.size(), 64);
  EXPECT_EQ(hash(raw, 1, "left*8"), once);
  EXPECT_EQ(hash(v1::OUTPUT_FORMAT_H264_FMP4, 1, "left*8"), once);
  EXPECT_EQ(hash(v1::OUTPUT_FORMAT_JPEG, 1, "left*8"), once);
  EXPECT_NE(hash(raw, 2, "left*8"), once);
  EXPECT_NE(hash(raw, 1, "left*7"), once);
}

TEST_F(PlayTest, KeepsJpegsInAFolder) {
  FakeServer server;
  options_.format = v1::OUTPUT_FORMAT_JPEG;
  options_.out = folder_ + "/frames";
  ASSERT_TRUE(Run(server).ok());
  for (const char* name : {"frame_000000.jpg", "frame_000015.jpg"}) {
    auto frame = DecodePictures(Read(std::string("frames/") + name));
    ASSERT_TRUE(frame.ok()) << frame.status();
  }
}

TEST_F(PlayTest, StopsInOrderOnAnInterrupt) {
  FakeServer server;
  server.set_on_chunk([&](uint64_t chunks) {
    if (chunks == 3) kill(getpid(), SIGINT);
  });
  options_.frames = 400000;
  options_.credit = 1;
  options_.out = folder_ + "/a.mp4";
  auto summary = Run(server);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_TRUE(summary->interrupted);
  EXPECT_GE(summary->frames, 12);
  auto frames = DecodePictures(Read("a.mp4"));
  ASSERT_TRUE(frames.ok()) << frames.status();
  EXPECT_EQ(frames->size(), summary->frames);
}

TEST_F(PlayTest, TellsWhyTheScriptWasRejected) {
  FakeBehavior behavior;
  behavior.reject_actions = "controls[0].name is \"fly\"";
  FakeServer server(behavior);
  const absl::Status status = Run(server).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("\"fly\""));
}

TEST_F(PlayTest, TellsThatTheServerEndedIt) {
  FakeBehavior behavior;
  behavior.end_after_chunks = 2;
  FakeServer server(behavior);
  options_.out = folder_ + "/a.mp4";
  const absl::Status status = Run(server).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(status.message(), HasSubstr("after 8 of 16 frames"));
  EXPECT_THAT(status.message(), HasSubstr("DRAINING"));
  EXPECT_EQ(DecodePictures(Read("a.mp4"))->size(), 8);
}

TEST_F(PlayTest, AsksForNoFrameIfItCannotWrite) {
  const std::string nowhere = folder_ + "/no/such/file";
  for (std::string* path : {&options_.out, &options_.sheet}) {
    FakeServer server;
    *path = nowhere;
    const absl::Status status = Run(server).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(nowhere));
    EXPECT_EQ(server.requests().size(), 1) << "more than a start";
    path->clear();
  }
}

TEST_F(PlayTest, KeepsAnOldVideoIfItIsRefused) {
  FakeBehavior behavior;
  behavior.refuse = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
  FakeServer server(behavior);
  options_.out = folder_ + "/a.mp4";
  std::ofstream(options_.out) << "old";
  EXPECT_TRUE(absl::IsResourceExhausted(Run(server).status()));
  EXPECT_EQ(Read("a.mp4"), "old");
}

TEST(PlaySummary, CountsChunks) {
  PlaySummary summary;
  v1::ChunkDone done;
  done.set_frames(4);
  done.set_history_bf16_bytes(700);
  done.set_history_bytes(100);
  done.set_frames_sha256(std::string(32, 'a'));
  done.set_deadline(v1::DEADLINE_STATE_MISSED);
  summary.Add(done, 0.5, 0.4);
  done.set_deadline(v1::DEADLINE_STATE_MET);
  summary.Add(done, 2.0, 1.5);
  EXPECT_EQ(summary.frames, 8);
  EXPECT_EQ(summary.first_frame_s, 0.5);
  EXPECT_EQ(summary.Fps(), 4.0);
  EXPECT_EQ(summary.CacheRatio(), 7.0);
  EXPECT_EQ(summary.deadlines_met, 1);
  EXPECT_EQ(summary.deadlines_missed, 1);
  EXPECT_THAT(ToText(summary), HasSubstr("8 in 2.0 s: 4.0 fps"));
  EXPECT_THAT(ToText(summary), HasSubstr("7.00 times smaller"));
}

TEST(PlaySummary, JsonHasTheFixedKeys) {
  PlaySummary summary;
  summary.model = "a \"quoted\"\n\\ name";
  v1::ChunkDone done;
  done.set_frames(4);
  summary.Add(done, 0.25, 0.25);
  google::protobuf::Struct json;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(ToJson(summary), &json).ok())
      << ToJson(summary);
  const auto& fields = json.fields();
  for (const char* key :
       {"frames", "fps", "first_frame_s", "cache_bytes_bf16", "cache_bytes",
        "cache_ratio", "chunk_s", "frames_hash", "interrupted"}) {
    EXPECT_EQ(fields.count(key), 1) << key;
  }
  EXPECT_EQ(fields.at("frames").number_value(), 4);
  EXPECT_EQ(fields.at("fps").number_value(), 16);
  EXPECT_EQ(fields.at("chunk_s").list_value().values_size(), 1);
  EXPECT_EQ(fields.at("model").string_value(), summary.model);
}

// FIPS 180-2, appendix B.1.
TEST(Sha256, MatchesTheStandard) {
  EXPECT_EQ(Sha256("abc").substr(0, 4), "\xba\x78\x16\xbf");
  EXPECT_EQ(Sha256("").size(), 32);
}

}  // namespace
}  // namespace qvg
