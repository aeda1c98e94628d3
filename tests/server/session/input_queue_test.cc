#include "server/session/input_queue.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_video_model.h"

namespace qvg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kIdle = 0, kForward = 1, kLeft = 2, kSteer = 3;

class InputQueueTest : public ::testing::Test {
 protected:
  InputQueueTest() : queue_(&model_.info(), Limits(), Memory()) {}

  static SessionLimits Limits() {
    SessionLimits limits;
    limits.max_pending_frames = 16;
    limits.max_prompt_bytes = 8;
    return limits;
  }

  PoolBuffer Memory() {
    pool_ = *MemoryPool::Create(1 << 20);
    const int64_t bytes = InputQueue::Bytes(model_.info(), Limits());
    reservation_ = *pool_->Reserve(bytes);
    return *reservation_.Allocate(BytesKind::kInput, bytes);
  }

  absl::Status Act(uint64_t event_id, std::vector<ControlRun> controls,
                   std::optional<uint64_t> start_frame = std::nullopt,
                   bool replace = false) {
    ActionRequest action;
    action.event_id = event_id;
    action.controls = std::move(controls);
    action.start_frame = start_frame;
    action.replace = replace;
    return queue_.AddAction(action, &receipts_);
  }

  // The controls of the next chunk.
  std::vector<int> Take() {
    std::vector<int> controls;
    inputs_ = queue_.Take(chunk_++, &receipts_);
    for (const FrameControl& frame : inputs_.frames) {
      controls.push_back(frame.control);
    }
    return controls;
  }

  // "received 1", "applied 2 at 0", "rejected 3: why" since the last call.
  std::vector<std::string> Receipts() {
    std::vector<std::string> texts;
    for (const Receipt& receipt : receipts_) {
      switch (receipt.state) {
        case Receipt::State::kReceived:
          texts.push_back(absl::StrCat("received ", receipt.event_id));
          break;
        case Receipt::State::kApplied:
          texts.push_back(absl::StrCat("applied ", receipt.event_id, " at ",
                                       receipt.chunk));
          break;
        case Receipt::State::kRejected:
          texts.push_back(absl::StrCat("rejected ", receipt.event_id, ": ",
                                       receipt.reason));
      }
    }
    receipts_.clear();
    return texts;
  }

  testing::FakeVideoModel model_;
  std::unique_ptr<MemoryPool> pool_;
  Reservation reservation_;
  InputQueue queue_;
  std::vector<Receipt> receipts_;
  ChunkInputs inputs_;
  int64_t chunk_ = 0;
};

TEST_F(InputQueueTest, FramesWithoutAControlIdle) {
  EXPECT_THAT(Take(), ElementsAre(kIdle, kIdle, kIdle, kIdle));
  EXPECT_THAT(Receipts(), IsEmpty());
}

TEST_F(InputQueueTest, ControlsQueueUpAndApplyChunkByChunk) {
  ASSERT_TRUE(Act(1, {{"forward", 3, {}}}).ok());
  ASSERT_TRUE(Act(2, {{"left", 2, {}}, {"forward", 1, {}}}).ok());
  EXPECT_THAT(Receipts(), ElementsAre("received 1", "received 2"));
  EXPECT_THAT(Take(), ElementsAre(kForward, kForward, kForward, kLeft));
  EXPECT_THAT(Receipts(), ElementsAre("applied 1 at 0", "applied 2 at 0"));
  EXPECT_THAT(Take(), ElementsAre(kLeft, kForward, kIdle, kIdle));
  EXPECT_THAT(Receipts(), IsEmpty()) << "an event is applied once";
}

TEST_F(InputQueueTest, ValuesTravelWithTheirControl) {
  ASSERT_TRUE(
      Act(1, {{"steer", 1, {0.5f}}, {"left", 1, {}}, {"steer", 1, {-2.0f}}})
          .ok());
  EXPECT_THAT(Take(), ElementsAre(kSteer, kLeft, kSteer, kIdle));
  EXPECT_THAT(inputs_.frames[0].values, ElementsAre(0.5f));
  EXPECT_THAT(inputs_.frames[1].values, IsEmpty());
  EXPECT_THAT(inputs_.frames[2].values, ElementsAre(-2.0f));
}

TEST_F(InputQueueTest, AStartFrameAheadIsReachedIdling) {
  ASSERT_TRUE(Act(1, {{"left", 2, {}}}, 3).ok());
  EXPECT_THAT(Take(), ElementsAre(kIdle, kIdle, kIdle, kLeft));
  EXPECT_THAT(Take(), ElementsAre(kLeft, kIdle, kIdle, kIdle));
}

TEST_F(InputQueueTest, AStartFrameDropsWhatWaitsFromThereOn) {
  ASSERT_TRUE(Act(1, {{"forward", 2, {}}}).ok());
  ASSERT_TRUE(Act(2, {{"forward", 6, {}}}).ok());
  ASSERT_TRUE(Act(3, {{"forward", 2, {}}}).ok());
  Receipts();
  ASSERT_TRUE(Act(4, {{"left", 1, {}}}, 4).ok());
  EXPECT_THAT(Receipts(),
              ElementsAre("received 4", "rejected 3: replaced by event 4"))
      << "of event 2 two frames are left";
  EXPECT_THAT(Take(), ElementsAre(kForward, kForward, kForward, kForward));
  EXPECT_THAT(Take(), ElementsAre(kLeft, kIdle, kIdle, kIdle));
}

TEST_F(InputQueueTest, ReplaceDropsEverythingThatWaits) {
  ASSERT_TRUE(Act(1, {{"forward", 6, {}}}).ok());
  Take();
  ASSERT_TRUE(Act(2, {{"forward", 1, {}}}).ok());
  Receipts();
  ASSERT_TRUE(Act(3, {{"left", 1, {}}}, std::nullopt, true).ok());
  EXPECT_THAT(Receipts(),
              ElementsAre("received 3", "rejected 2: replaced by event 3"))
      << "event 1 was applied in part";
  EXPECT_THAT(Take(), ElementsAre(kLeft, kIdle, kIdle, kIdle));
}

TEST_F(InputQueueTest, APastFrameIsRefusedWithTheNextOne) {
  Take();
  ASSERT_TRUE(Act(1, {{"left", 1, {}}}, 4).ok());
  const absl::Status status = Act(2, {{"left", 1, {}}}, 3);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "action.start_frame: 3 is in the past, the next frame is 4");
}

TEST_F(InputQueueTest, MoreFramesThanTheLimitAreRefused) {
  EXPECT_TRUE(Act(1, {{"left", 16, {}}}).ok());
  const absl::Status status = Act(2, {{"left", 1, {}}});
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("1 frames behind 16"));
  EXPECT_TRUE(Act(2, {{"left", 16, {}}}, 0).ok()) << "in their place";
  EXPECT_EQ(Act(3, {{"left", int64_t{1} << 40, {}}}, 0).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Act(4, {{"left", 1, {}}}, ~uint64_t{0}).code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(InputQueueTest, ARefusedActionChangesNothing) {
  ASSERT_TRUE(Act(1, {{"forward", 4, {}}}).ok());
  Receipts();
  EXPECT_FALSE(Act(1, {{"left", 4, {}}}, 0).ok()) << "reused";
  EXPECT_FALSE(Act(2, {{"left", 1, {}}, {"fly", 1, {}}}, 0).ok());
  EXPECT_THAT(Receipts(), IsEmpty());
  EXPECT_EQ(queue_.pending_frames(), 4);
  EXPECT_TRUE(Act(2, {{"left", 1, {}}}).ok()) << "the id is still free";
}

TEST_F(InputQueueTest, BadControlsAreRefusedByField) {
  EXPECT_THAT(Act(1, {}).message(), HasSubstr("action.controls: 0"));
  EXPECT_THAT(Act(1, {{"fly", 1, {}}}).message(),
              HasSubstr("\"fly\" is none of idle, forward, left, steer"));
  EXPECT_THAT(Act(1, {{"left", 0, {}}}).message(),
              HasSubstr("action.controls.frames: 0"));
  EXPECT_THAT(Act(1, {{"steer", 1, {}}}).message(),
              HasSubstr("0 values for \"steer\", which takes 1"));
  EXPECT_THAT(Act(1, {{"steer", 1, {std::nanf("")}}}).message(),
              HasSubstr("not a finite number"));
}

TEST_F(InputQueueTest, APromptShapesTheNextChunk) {
  ASSERT_TRUE(queue_.SetPrompt({1, "red"}, &receipts_).ok());
  ASSERT_TRUE(queue_.SetPrompt({2, "blue"}, &receipts_).ok());
  EXPECT_THAT(Receipts(), ElementsAre("received 1", "received 2",
                                      "rejected 1: replaced by event 2"));
  Take();
  EXPECT_TRUE(inputs_.prompt_changed);
  EXPECT_EQ(inputs_.prompt, "blue");
  EXPECT_THAT(Receipts(), ElementsAre("applied 2 at 0"));
  Take();
  EXPECT_FALSE(inputs_.prompt_changed);
}

TEST_F(InputQueueTest, APromptOverTheLimitIsRefused) {
  EXPECT_TRUE(queue_.SetPrompt({1, "12345678"}, &receipts_).ok());
  const absl::Status status = queue_.SetPrompt({2, "123456789"}, &receipts_);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "prompt.text: 9 bytes, the limit is 8");
}

TEST_F(InputQueueTest, ActionsAndPromptsShareTheirIds) {
  ASSERT_TRUE(Act(1, {{"left", 1, {}}}).ok());
  EXPECT_EQ(queue_.SetPrompt({1, "red"}, &receipts_).code(),
            absl::StatusCode::kAlreadyExists);
}

TEST_F(InputQueueTest, RejectAllLeavesNothingBehind) {
  ASSERT_TRUE(Act(1, {{"left", 6, {}}}).ok());
  ASSERT_TRUE(Act(2, {{"left", 1, {}}}).ok());
  ASSERT_TRUE(queue_.SetPrompt({3, "red"}, &receipts_).ok());
  Take();
  ASSERT_TRUE(queue_.SetPrompt({4, "red"}, &receipts_).ok());
  Receipts();
  queue_.RejectAll("over", &receipts_);
  EXPECT_THAT(Receipts(), ElementsAre("rejected 2: over", "rejected 4: over"));
  EXPECT_THAT(Take(), ElementsAre(kIdle, kIdle, kIdle, kIdle));
}

}  // namespace
}  // namespace qvg
