#include "server/session/retry.h"

#include "gtest/gtest.h"

namespace qvg {
namespace {

TEST(RetryDelay, TravelsWithTheStatus) {
  absl::Status status = absl::ResourceExhaustedError("full");
  EXPECT_EQ(RetryDelay(status), std::nullopt);
  SetRetryDelay(absl::Milliseconds(1500), &status);
  const absl::Status copy = status;
  EXPECT_EQ(RetryDelay(copy), absl::Milliseconds(1500));
  EXPECT_EQ(copy.message(), "full");
}

}  // namespace
}  // namespace qvg
