#include "server/rpc/convert.h"

#include <functional>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_video_model.h"

namespace qvg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(FromProto, UnsetFieldsOfACacheSpecStayUnset) {
  const auto request = FromProto(v1::Start());
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->spec.cache_spec, CacheSpec());
  EXPECT_EQ(request->format, MediaFormat::kH264Fmp4);
}

TEST(FromProto, EveryFieldArrives) {
  v1::Start start;
  start.set_model("m");
  start.set_prompt("p");
  start.set_seed(~uint64_t{0});
  start.set_steps(4);
  start.set_first_credit(5);
  start.set_max_chunks(6);
  start.set_output_format(v1::OUTPUT_FORMAT_JPEG);
  v1::CacheSpec* spec = start.mutable_cache_spec();
  spec->set_codec("qvg");
  spec->set_bits(2);
  spec->set_block(64);
  spec->set_centroids(256);
  spec->set_stages(1);
  spec->set_iterations(5);
  spec->set_tail_chunks(0);
  spec->set_sink_chunks(1);
  spec->set_span_chunks(2);
  spec->set_unpacked(v1::ELEMENT_TYPE_F32);
  const auto request = FromProto(start);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->model, "m");
  EXPECT_EQ(request->spec.prompt, "p");
  EXPECT_EQ(request->spec.seed, ~uint64_t{0});
  EXPECT_EQ(request->spec.steps, 4);
  EXPECT_EQ(request->first_credit, 5);
  EXPECT_EQ(request->spec.max_chunks, 6);
  EXPECT_EQ(request->format, MediaFormat::kJpeg);
  v1::CacheSpec back;
  ToProto(request->spec.cache_spec, &back);
  EXPECT_EQ(back.SerializeAsString(), spec->SerializeAsString());
}

TEST(FromProto, ZeroIsNotTheSameAsUnset) {
  v1::Start start;
  start.mutable_cache_spec()->set_bits(0);
  EXPECT_THAT(FromProto(start).status().message(),
              HasSubstr("cache_spec.bits: 0 is not between 1"));
  start.mutable_cache_spec()->Clear();
  start.mutable_cache_spec()->set_tail_chunks(4000000000u);
  EXPECT_THAT(FromProto(start).status().message(),
              HasSubstr("cache_spec.tail_chunks: 4000000000"));
}

TEST(FromProto, UnknownEnumsAreRefusedByField) {
  v1::Start start;
  start.set_output_format(static_cast<v1::OutputFormat>(9));
  EXPECT_THAT(FromProto(start).status().message(),
              HasSubstr("start.output_format: 9"));
  start.clear_output_format();
  start.mutable_cache_spec()->set_unpacked(static_cast<v1::ElementType>(7));
  EXPECT_THAT(FromProto(start).status().message(),
              HasSubstr("cache_spec.unpacked: 7"));
}

TEST(FromProto, LargeNumbersDoNotWrap) {
  v1::Start start;
  start.set_steps(std::numeric_limits<uint32_t>::max());
  start.set_max_chunks(std::numeric_limits<uint32_t>::max());
  const auto request = FromProto(start);
  ASSERT_TRUE(request.ok());
  EXPECT_GT(request->spec.steps, 0);
  EXPECT_GT(request->spec.max_chunks, 0);
}

TEST(FromProto, AnActionKeepsOrderAndValues) {
  v1::Action action;
  action.set_event_id(3);
  action.set_start_frame(0);
  v1::Control* control = action.add_controls();
  control->set_name("steer");
  control->set_frames(2);
  control->add_values(0.5f);
  action.add_controls()->set_name("left");
  const ActionRequest request = FromProto(action);
  EXPECT_EQ(request.event_id, 3);
  EXPECT_EQ(request.start_frame, 0) << "set, though 0";
  EXPECT_FALSE(request.replace);
  ASSERT_EQ(request.controls.size(), 2);
  EXPECT_EQ(request.controls[0].frames, 2);
  EXPECT_THAT(request.controls[0].values, ElementsAre(0.5f));
  EXPECT_EQ(request.controls[1].name, "left");
}

TEST(ToProto, AModelTellsWhatAClientNeeds) {
  const testing::FakeVideoModel model;
  v1::Model proto;
  ToProto(model.info(), 12345, &proto);
  EXPECT_EQ(proto.name(), "fake");
  EXPECT_EQ(proto.controls(3).name(), "steer");
  EXPECT_EQ(proto.controls(3).values(), 1);
  EXPECT_EQ(proto.default_cache_spec().codec(), "bf16");
  EXPECT_EQ(proto.chunk_bf16_bytes(), 2 * 2 * 64 * 16);
  EXPECT_EQ(proto.session_bytes(), 12345);
}

TEST(ToProto, AChunkReportBecomesChunkDone) {
  ChunkReport report;
  report.chunk = 3;
  report.first_frame = 12;
  report.frames = 4;
  report.queue = absl::Milliseconds(5);
  report.stages.denoise = 0.25;
  report.deadline = {DeadlineState::kMissed, absl::Milliseconds(-40)};
  report.history.packed = 100;
  report.history.packed_bf16 = 700;
  report.history.unpacked = 10;
  report.history.unpacked_bf16 = 20;
  report.held[static_cast<int>(BytesKind::kSpan)] = 110;
  report.frames_sha256 = Sha256("x");
  v1::StreamResponse response;
  ToProto(report, &response);
  const v1::ChunkDone& done = response.chunk_done();
  EXPECT_EQ(done.chunk_index(), 3);
  EXPECT_EQ(done.stages().queue(), 0.005);
  EXPECT_EQ(done.stages().denoise(), 0.25);
  EXPECT_EQ(done.deadline(), v1::DEADLINE_STATE_MISSED);
  EXPECT_EQ(done.deadline_margin_seconds(), -0.04);
  EXPECT_EQ(done.history_bf16_bytes(), 720);
  EXPECT_EQ(done.history_bytes(), 110);
  EXPECT_EQ(done.packed_span_ratio(), 7);
  EXPECT_EQ(done.cache_bytes(0).kind(), "span");
  EXPECT_EQ(done.cache_bytes(0).bytes(), 110);
  EXPECT_EQ(done.frames_sha256().size(), 32);
}

TEST(ToProto, EveryReasonHasAName) {
  const std::pair<EndReason, v1::EndedReason> reasons[] = {
      {EndReason::kStopped, v1::ENDED_REASON_STOPPED},
      {EndReason::kCompleted, v1::ENDED_REASON_COMPLETED},
      {EndReason::kClosed, v1::ENDED_REASON_CLOSED},
      {EndReason::kDraining, v1::ENDED_REASON_DRAINING},
      {EndReason::kTooOld, v1::ENDED_REASON_EXPIRED},
      {EndReason::kIdle, v1::ENDED_REASON_EXPIRED},
      {EndReason::kFailed, v1::ENDED_REASON_FAILED}};
  for (const auto& [reason, expected] : reasons) {
    v1::StreamResponse response;
    ToProto(Ended{reason, 1, 4, ""}, &response);
    EXPECT_EQ(response.ended().reason(), expected);
    EXPECT_EQ(response.ended().detail(), ToString(reason));
  }
}

}  // namespace
}  // namespace qvg
