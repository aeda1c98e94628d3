#include "server/session/event_ids.h"

#include <random>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;

TEST(EventIds, ZeroIsNoId) {
  EXPECT_EQ(EventIds().Add(0).code(), absl::StatusCode::kInvalidArgument);
}

TEST(EventIds, AReusedIdIsRefusedByName) {
  EventIds ids;
  EXPECT_TRUE(ids.Add(7).ok());
  const absl::Status status = ids.Add(7);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(status.message(), HasSubstr("event_id: 7"));
}

TEST(EventIds, IdsThatCountUpCostOneRange) {
  EventIds ids;
  for (uint64_t id = 1; id <= 100000; ++id) ASSERT_TRUE(ids.Add(id).ok());
  EXPECT_EQ(ids.ranges(), 1);
}

TEST(EventIds, ScatteredIdsAreRefusedAtTheLimit) {
  EventIds ids;
  for (uint64_t i = 0; i < EventIds::kMaxRanges; ++i) {
    ASSERT_TRUE(ids.Add(2 + 2 * i).ok());
  }
  EXPECT_EQ(ids.Add(1u << 20).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(ids.Add(3).ok()) << "joins two ranges";
  EXPECT_TRUE(ids.Add(1u << 20).ok());
}

TEST(EventIds, TheLargestIdIsAnIdLikeOthers) {
  EventIds ids;
  const uint64_t largest = ~uint64_t{0};
  EXPECT_TRUE(ids.Add(largest).ok());
  EXPECT_TRUE(ids.Add(largest - 1).ok());
  EXPECT_EQ(ids.Add(largest).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(ids.Add(1).ok());
  EXPECT_EQ(ids.ranges(), 2);
}

TEST(EventIds, AgreesWithASet) {
  std::mt19937 random(1);
  EventIds ids;
  std::set<uint64_t> seen;
  for (int i = 0; i < 20000; ++i) {
    const uint64_t id = 1 + random() % 400;
    ASSERT_EQ(ids.Add(id).ok(), seen.insert(id).second) << id;
  }
  EXPECT_EQ(ids.ranges(), 1);
}

}  // namespace
}  // namespace qvg
