#include "cache/kernel_status.h"

#include "gtest/gtest.h"

namespace qvg {
namespace {

TEST(KernelStatusTest, EveryErrorHasItsCode) {
  using Code = kernels::Error::Code;
  EXPECT_TRUE(ToStatus(kernels::Error::Ok()).ok());
  EXPECT_EQ(ToStatus({Code::kInvalidArgument, "x"}).code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(ToStatus({Code::kUnimplemented, "x"}).code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ToStatus({Code::kOutOfMemory, "x"}).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ToStatus({Code::kDevice, "lost"}), absl::InternalError("lost"));
}

}  // namespace
}  // namespace qvg
