#include "server/rpc/status.h"

#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "server/session/retry.h"

namespace qvg {
namespace {

TEST(ToGrpcStatus, KeepsEveryCode) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  for (int code = 1; code <= 16; ++code) {
    const grpc::Status status =
        ToGrpcStatus(absl::Status(static_cast<absl::StatusCode>(code), "why"));
    EXPECT_EQ(static_cast<int>(status.error_code()), code);
    EXPECT_EQ(status.error_message(), "why");
    EXPECT_EQ(status.error_details(), "");
  }
}

TEST(ToGrpcStatus, CutsLongMessagesBetweenCharacters) {
  const auto sent = [](const std::string& message) {
    return ToGrpcStatus(absl::InternalError(message)).error_message();
  };
  EXPECT_EQ(sent(std::string(1024, 'x')).size(), 1024);
  EXPECT_EQ(sent(std::string(1025, 'x')).size(), 1024);
  EXPECT_EQ(sent(std::string(1023, 'x') + "\u00e9").size(), 1023);
}

TEST(ToGrpcStatus, ARetryDelayBecomesRetryInfo) {
  absl::Status status = absl::ResourceExhaustedError("full");
  SetRetryDelay(absl::Milliseconds(2500), &status);
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(ToGrpcStatus(status).error_details()));
  EXPECT_EQ(details.code(), 8);
  EXPECT_EQ(details.message(), "full");
  google::rpc::RetryInfo retry;
  ASSERT_EQ(details.details_size(), 1);
  ASSERT_TRUE(details.details(0).UnpackTo(&retry));
  EXPECT_EQ(retry.retry_delay().seconds(), 2);
  EXPECT_EQ(retry.retry_delay().nanos(), 500000000);
}

}  // namespace
}  // namespace qvg
