#ifndef SERVER_SESSION_RETRY_H_
#define SERVER_SESSION_RETRY_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace qvg {

// A delay after which what `status` refused may succeed, carried by it.
void SetRetryDelay(absl::Duration delay, absl::Status* status);
std::optional<absl::Duration> RetryDelay(const absl::Status& status);

}  // namespace qvg

#endif  // SERVER_SESSION_RETRY_H_
