#ifndef SERVER_SESSION_EVENT_IDS_H_
#define SERVER_SESSION_EVENT_IDS_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"

namespace qvg {

// The event ids that a session has seen, as ranges: ids that count up cost one
// range, whatever their number. Thread-compatible.
class EventIds {
 public:
  static constexpr size_t kMaxRanges = 256;

  // INVALID_ARGUMENT for 0, ALREADY_EXISTS for one seen before,
  // RESOURCE_EXHAUSTED for one that would make more than kMaxRanges ranges.
  absl::Status Add(uint64_t id);

  size_t ranges() const { return ranges_.size(); }

 private:
  absl::btree_map<uint64_t, uint64_t> ranges_;  // first to last, both in it
};

}  // namespace qvg

#endif  // SERVER_SESSION_EVENT_IDS_H_
