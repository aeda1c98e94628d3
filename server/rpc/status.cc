#include "server/rpc/status.h"

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/session/retry.h"

namespace qvg {
namespace {

// `message` cut to the limit, between two characters.
std::string Cut(absl::string_view message) {
  if (message.size() <= kMaxStatusMessage) return std::string(message);
  size_t size = kMaxStatusMessage;
  while (size > 0 && (message[size] & 0xc0) == 0x80) --size;
  return std::string(message.substr(0, size));
}

std::string RetryDetails(const absl::Status& status, const std::string& message,
                         absl::Duration delay) {
  google::rpc::RetryInfo retry;
  const int64_t seconds = absl::ToInt64Seconds(delay);
  retry.mutable_retry_delay()->set_seconds(seconds);
  retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(delay - absl::Seconds(seconds))));
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(message);
  details.add_details()->PackFrom(retry);
  return details.SerializeAsString();
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message = Cut(status.message());
  const std::optional<absl::Duration> delay = RetryDelay(status);
  if (!delay) return grpc::Status(code, message);
  return grpc::Status(code, message, RetryDetails(status, message, *delay));
}

}  // namespace qvg
