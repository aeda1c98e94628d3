#include "server/session/limits.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;

TEST(SessionLimits, TheDefaultsAreValid) {
  EXPECT_TRUE(SessionLimits().Validate().ok());
}

TEST(SessionLimits, ValidateNamesFieldValueAndRange) {
  SessionLimits limits;
  limits.max_outbox_chunks = 1;
  const absl::Status status = limits.Validate();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "max_outbox_chunks: 1 is not between 2 and 1024");
  limits = SessionLimits();
  limits.max_chunks = 0;
  EXPECT_THAT(limits.Validate().message(), HasSubstr("max_chunks: 0"));
}

}  // namespace
}  // namespace qvg
