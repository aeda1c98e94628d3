#include "client/status.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace qvg {
namespace {

// The retry delay in a serialized google.rpc.Status; zero if there is none.
absl::Duration RetryDelay(const std::string& details) {
  google::rpc::Status status;
  if (!status.ParseFromString(details)) return absl::ZeroDuration();
  for (const google::protobuf::Any& any : status.details()) {
    google::rpc::RetryInfo info;
    if (any.UnpackTo(&info)) {
      return absl::Seconds(info.retry_delay().seconds()) +
             absl::Nanoseconds(info.retry_delay().nanos());
    }
  }
  return absl::ZeroDuration();
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  std::string message = status.error_message();
  const absl::Duration delay = RetryDelay(status.error_details());
  if (delay > absl::ZeroDuration()) {
    absl::StrAppend(&message, "; retry in ", absl::FormatDuration(delay));
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      message);
}

std::string OneLine(const absl::Status& status) {
  return absl::StrReplaceAll(
      absl::StrCat(absl::StatusCodeToString(status.code()), ": ",
                   status.message()),
      {{"\n", " "}, {"\r", " "}});
}

}  // namespace qvg
