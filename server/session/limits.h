#ifndef SERVER_SESSION_LIMITS_H_
#define SERVER_SESSION_LIMITS_H_

#include <cstdint>

#include "absl/status/status.h"

namespace qvg {

// Largest piece of media that is sent in one message.
inline constexpr int64_t kMaxPartBytes = int64_t{256} << 10;

// Bounds of what one session, and all of them, may ask for and hold.
struct SessionLimits {
  int max_sessions = 16;
  int max_credit_chunks = 64;
  int max_pending_frames = 1024;
  int max_prompt_bytes = 4096;
  int max_message_bytes = 1 << 20;
  int max_outbox_chunks = 8;
  int64_t max_outbox_bytes = int64_t{16} << 20;
  int max_chunks = 1024;

  // INVALID_ARGUMENT names the field that is out of range, and the range.
  absl::Status Validate() const;
};

}  // namespace qvg

#endif  // SERVER_SESSION_LIMITS_H_
