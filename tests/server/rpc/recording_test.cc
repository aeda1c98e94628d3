// What Recorder writes by hand is the ProtoJSON form of qvg.v1.RecordingLine.

#include <google/protobuf/util/json_util.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"
#include "qvg/v1/recording.pb.h"
#include "server/session/recorder.h"
#include "tests/fakes/fake_video_model.h"

namespace qvg {
namespace {

TEST(Recording, EveryLineIsARecordingLine) {
  const testing::FakeVideoModel model;
  StartRequest request;
  request.spec.prompt = "quote \" tab \t \\ caf\u00e9";
  request.spec.seed = ~uint64_t{0};
  request.spec.cache_spec.codec = "rtn";
  const SessionPlan plan = *PlanSession(request, model, {});
  const std::string path = ::testing::TempDir() + "recording_test.jsonl";
  {
    auto recorder = Recorder::Create(::testing::TempDir(), "recording_test",
                                     "1.0", model.info(), plan);
    ASSERT_TRUE(recorder.ok()) << recorder.status();
    ChunkInputs inputs;
    inputs.frames = {{3, {0.1f}}, {3, {0.1f}}, {0, {}}, {1, {}}};
    inputs.prompt = "";
    inputs.prompt_changed = true;
    (*recorder)->Chunk(0, inputs, Sha256("abc"));
    (*recorder)->End(EndReason::kIdle, 1);
  }
  std::vector<v1::RecordingLine> lines;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    v1::RecordingLine line;
    const auto status =
        google::protobuf::util::JsonStringToMessage(text, &line);
    ASSERT_TRUE(status.ok()) << status << text;
    lines.push_back(line);
  }
  ASSERT_EQ(lines.size(), 3);
  const v1::RecordingHeader& header = lines[0].header();
  EXPECT_EQ(header.version(), 1);
  EXPECT_EQ(header.start().prompt(), request.spec.prompt);
  EXPECT_EQ(header.start().seed(), ~uint64_t{0});
  EXPECT_EQ(header.start().cache_spec().bits(), 2);
  EXPECT_EQ(header.start().max_chunks(), 1024);
  const v1::RecordedChunk& chunk = lines[1].chunk();
  ASSERT_EQ(chunk.controls_size(), 3);
  EXPECT_EQ(chunk.controls(0).frames(), 2);
  EXPECT_EQ(chunk.controls(0).values(0), 0.1f) << "exactly";
  EXPECT_TRUE(chunk.has_prompt());
  EXPECT_EQ(chunk.frames_sha256(), Hex(Sha256("abc")));
  EXPECT_EQ(lines[2].end().reason(), v1::ENDED_REASON_EXPIRED);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace qvg
