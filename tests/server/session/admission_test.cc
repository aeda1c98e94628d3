#include "server/session/admission.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_video_model.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;

class AdmissionTest : public ::testing::Test {
 protected:
  absl::Status Error() {
    return PlanSession(request_, model_, limits_).status();
  }

  testing::FakeVideoModel model_;
  SessionLimits limits_;
  StartRequest request_;
};

TEST_F(AdmissionTest, FillsInEveryDefault) {
  request_.spec.seed = 7;
  const auto plan = PlanSession(request_, model_, limits_);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->spec.seed, 7);
  EXPECT_EQ(plan->spec.steps, 3);
  EXPECT_EQ(plan->spec.max_chunks, limits_.max_chunks);
  EXPECT_EQ(plan->spec.cache_spec.codec, "bf16");
  EXPECT_EQ(plan->media.width, 64);
  EXPECT_EQ(plan->task.chunk_duration, absl::Milliseconds(250));
}

TEST_F(AdmissionTest, FewerChunksNeedLess) {
  const auto whole = PlanSession(request_, model_, limits_);
  request_.spec.max_chunks = 1;
  const auto little = PlanSession(request_, model_, limits_);
  ASSERT_TRUE(whole.ok() && little.ok());
  EXPECT_LT(little->model_bytes.cache, whole->model_bytes.cache);
  EXPECT_EQ(little->own_bytes, whole->own_bytes);
}

TEST_F(AdmissionTest, AFullOutboxAndTheChunksUnderWayFit) {
  limits_.max_outbox_bytes = 1 << 16;
  const auto plan = PlanSession(request_, model_, limits_);
  ASSERT_TRUE(plan.ok());
  const int64_t raw = 64 * 32 * 3 * 4;
  EXPECT_GE(plan->own_bytes, plan->task.max_outbox_bytes + 4 * raw);
}

TEST_F(AdmissionTest, AnUnknownModelIsNotFound) {
  request_.model = "wan";
  EXPECT_EQ(Error().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Error().message(),
            "start.model: \"wan\" is unknown, this server has \"fake\"");
  request_.model = "fake";
  EXPECT_TRUE(Error().ok());
}

TEST_F(AdmissionTest, AnUnknownCodecOrCombinationIsRefusedByField) {
  request_.spec.cache_spec.codec = "zip";
  EXPECT_EQ(Error().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Error().message(), HasSubstr("cache_spec.codec: \"zip\""));
  request_.spec.cache_spec.codec = "bf16";
  request_.spec.cache_spec.bits = 2;
  EXPECT_EQ(Error().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Error().message(), HasSubstr("cache_spec.bits: 2"));
}

TEST_F(AdmissionTest, LimitsAreAllowedAndOneMoreIsNot) {
  request_.spec.prompt.assign(limits_.max_prompt_bytes, 'x');
  request_.spec.steps = 8;
  request_.spec.max_chunks = limits_.max_chunks;
  request_.first_credit = limits_.max_credit_chunks;
  EXPECT_TRUE(Error().ok()) << Error();
  request_.spec.prompt += 'x';
  EXPECT_EQ(Error().message(), "start.prompt: 4097 bytes, the limit is 4096");
  request_.spec.prompt.clear();
  ++request_.spec.steps;
  EXPECT_EQ(Error().message(), "start.steps: 9 is over the limit of 8");
  request_.spec.steps = 0;
  ++request_.spec.max_chunks;
  EXPECT_EQ(Error().message(),
            "start.max_chunks: 1025 is over the limit of 1024");
  request_.spec.max_chunks = 0;
  ++request_.first_credit;
  EXPECT_EQ(Error().message(),
            "start.first_credit: 65 is over the limit of 64");
}

}  // namespace
}  // namespace qvg
