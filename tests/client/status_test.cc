#include "client/status.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

std::string RetryDetails(int64_t seconds, int32_t nanos) {
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(seconds);
  info.mutable_retry_delay()->set_nanos(nanos);
  google::rpc::Status status;
  status.add_details()->PackFrom(info);
  return status.SerializeAsString();
}

TEST(FromGrpc, KeepsCodeAndMessage) {
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
  for (auto code : {grpc::StatusCode::CANCELLED, grpc::StatusCode::NOT_FOUND,
                    grpc::StatusCode::UNAUTHENTICATED}) {
    const absl::Status status = FromGrpc(grpc::Status(code, "why"));
    EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(code));
    EXPECT_EQ(status.message(), "why");
  }
}

TEST(FromGrpc, TellsTheRetryDelay) {
  const absl::Status status =
      FromGrpc(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full",
                            RetryDetails(2, 500000000)));
  EXPECT_EQ(OneLine(status), "RESOURCE_EXHAUSTED: full; retry in 2.5s");
}

TEST(FromGrpc, IgnoresDetailsThatAreNone) {
  for (const std::string& details :
       {std::string("\xff\xff garbage"), std::string(), RetryDetails(0, 0)}) {
    EXPECT_EQ(
        FromGrpc(grpc::Status(grpc::StatusCode::INTERNAL, "oops", details))
            .message(),
        "oops");
  }
}

TEST(OneLine, IsOneLine) {
  EXPECT_EQ(OneLine(absl::InternalError("a\nb\r\nc")), "INTERNAL: a b  c");
}

}  // namespace
}  // namespace qvg
