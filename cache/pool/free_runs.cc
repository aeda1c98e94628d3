#include "cache/pool/free_runs.h"

#include <iterator>

namespace qvg {

std::optional<int64_t> FreeRuns::Take(int64_t count) {
  for (auto run = free_.begin(); run != free_.end(); ++run) {
    const auto [first, pages] = *run;
    if (pages < count) continue;
    free_.erase(run);
    if (pages > count) free_.emplace(first + count, pages - count);
    return first;
  }
  return std::nullopt;
}

void FreeRuns::Return(int64_t first, int64_t count) {
  if (count == 0) return;
  auto next = free_.lower_bound(first);
  if (next != free_.end() && next->first == first + count) {
    count += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == first) {
      before->second += count;
      return;
    }
  }
  free_.emplace_hint(next, first, count);
}

}  // namespace qvg
