#include "server/session/limits.h"

#include "absl/strings/str_cat.h"

namespace qvg {

absl::Status SessionLimits::Validate() const {
  const struct {
    const char* name;
    int64_t value, low, high;
  } fields[] = {
      {"max_sessions", max_sessions, 1, 4096},
      {"max_credit_chunks", max_credit_chunks, 1, 65536},
      {"max_pending_frames", max_pending_frames, 1, 1 << 20},
      {"max_prompt_bytes", max_prompt_bytes, 1, 1 << 20},
      {"max_message_bytes", max_message_bytes, 1024, 64 << 20},
      {"max_outbox_chunks", max_outbox_chunks, 2, 1024},
      {"max_outbox_bytes", max_outbox_bytes, 1 << 16, int64_t{1} << 32},
      {"max_chunks", max_chunks, 1, 1 << 20},
  };
  for (const auto& [name, value, low, high] : fields) {
    if (value >= low && value <= high) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": ", value, " is not between ", low, " and ", high));
  }
  return absl::OkStatus();
}

}  // namespace qvg
