#include "server/session/recorder.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_video_model.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;

class RecorderTest : public ::testing::Test {
 protected:
  RecorderTest() {
    StartRequest request;
    request.spec.prompt = "a \"red\"\n\\room";
    request.spec.seed = ~uint64_t{0};
    request.spec.max_chunks = 2;
    request.spec.cache_spec.codec = "rtn";
    plan_ = *PlanSession(request, model_, {});
  }
  ~RecorderTest() override { std::filesystem::remove(path_); }

  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

  const std::string name_ =
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string path_ = ::testing::TempDir() + name_ + ".jsonl";
  testing::FakeVideoModel model_;
  SessionPlan plan_;
};

// Readers in the wild depend on this text: see recording.md before changing.
TEST_F(RecorderTest, WritesOneObjectALine) {
  auto recorder = Recorder::Create(::testing::TempDir(), name_, "1.2",
                                   model_.info(), plan_);
  ASSERT_TRUE(recorder.ok()) << recorder.status();
  ChunkInputs inputs;
  inputs.frames = {{1, {}}, {1, {}}, {3, {0.25f}}, {3, {-1.5f}}};
  (*recorder)->Chunk(0, inputs, Sha256("abc"));
  inputs.frames = {{0, {}}, {0, {}}, {0, {}}, {0, {}}};
  inputs.prompt = "blue";
  inputs.prompt_changed = true;
  (*recorder)->Chunk(1, inputs, Sha256(""));
  (*recorder)->End(EndReason::kCompleted, 2);
  const std::string header =
      R"({"header":{"version":1,"sessionId":")" + name_ +
      R"(","serverVersion":"1.2","device":"cpu: fake",)"
      R"("modelFingerprint":"fake-1","start":{"model":"fake",)"
      R"("prompt":"a \"red\"\u000a\\room","seed":"18446744073709551615",)"
      R"("cacheSpec":{"codec":"rtn","bits":2,"tailChunks":0,"sinkChunks":0,)"
      R"("unpacked":"ELEMENT_TYPE_BF16"},"steps":3,"maxChunks":2},)"
      R"("framesPerChunk":4,"width":64,"height":32}})";
  const std::string chunks =
      R"({"chunk":{"chunkIndex":"0","controls":[{"name":"forward","frames":2},)"
      R"({"name":"steer","frames":1,"values":[0.25]},)"
      R"({"name":"steer","frames":1,"values":[-1.5]}],"framesSha256":")" +
      Hex(Sha256("abc")) + "\"}}\n" +
      R"({"chunk":{"chunkIndex":"1","controls":[{"name":"idle","frames":4}],)"
      R"("prompt":"blue","framesSha256":")" +
      Hex(Sha256("")) + "\"}}\n";
  EXPECT_EQ(Text(), header + "\n" + chunks +
                        "{\"end\":{\"reason\":\"ENDED_REASON_COMPLETED\","
                        "\"chunks\":\"2\"}}\n");
}

TEST_F(RecorderTest, AFolderThatIsNotThereIsAnError) {
  const auto recorder = Recorder::Create(::testing::TempDir() + "absent", name_,
                                         "1.2", model_.info(), plan_);
  EXPECT_EQ(recorder.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(recorder.status().message(), HasSubstr("absent"));
}

TEST_F(RecorderTest, AFullDiskIsGivenUpOnce) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  std::filesystem::create_symlink("/dev/full", path_);
  ::testing::internal::CaptureStderr();
  auto recorder = Recorder::Create(::testing::TempDir(), name_, "1.2",
                                   model_.info(), plan_);
  if (recorder.ok()) {
    ChunkInputs inputs;
    inputs.frames.resize(4);
    (*recorder)->Chunk(0, inputs, Sha256(""));
    (*recorder)->Chunk(1, inputs, Sha256(""));
  }
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("giving up"));
  EXPECT_EQ(log.find("giving up"), log.rfind("giving up"));
}

}  // namespace
}  // namespace qvg
