#include "server/session/event_ids.h"

#include <iterator>

#include "absl/strings/str_cat.h"

namespace qvg {

absl::Status EventIds::Add(uint64_t id) {
  if (id == 0) {
    return absl::InvalidArgumentError("event_id: 0 is not at least 1");
  }
  auto next = ranges_.upper_bound(id);
  auto before = next == ranges_.begin() ? ranges_.end() : std::prev(next);
  if (before != ranges_.end() && before->second >= id) {
    return absl::AlreadyExistsError(
        absl::StrCat("event_id: ", id, " was used before in this session"));
  }
  const bool joins_before = before != ranges_.end() && before->second == id - 1;
  const bool joins_next = next != ranges_.end() && next->first == id + 1;
  if (!joins_before && !joins_next && ranges_.size() >= kMaxRanges) {
    return absl::ResourceExhaustedError(
        absl::StrCat("event_id: ", id, " makes more than ", kMaxRanges,
                     " separate ranges; count up from 1"));
  }
  const uint64_t last = joins_next ? next->second : id;
  if (joins_next) ranges_.erase(next);
  if (joins_before) {
    // Erasing may have moved the ranges.
    std::prev(ranges_.upper_bound(id))->second = last;
  } else {
    ranges_[id] = last;
  }
  return absl::OkStatus();
}

}  // namespace qvg
