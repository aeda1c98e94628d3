#ifndef CACHE_POOL_FREE_RUNS_H_
#define CACHE_POOL_FREE_RUNS_H_

#include <cstdint>
#include <map>
#include <optional>

namespace qvg {

// Which pages of a range are free, where memory stands behind every one of
// them: runs are found by first fit, and neighbours grow together when they
// return. What is free may be too scattered for a run; it never is if runs are
// of one size or return last taken first. Thread-compatible.
class FreeRuns {
 public:
  // All of [first, first + count) is free; count may be 0.
  FreeRuns(int64_t first, int64_t count) { Return(first, count); }

  // The first page of a run of `count` >= 1 pages; nothing if there is none.
  std::optional<int64_t> Take(int64_t count);

  // Hands a run back, in whole or in parts.
  void Return(int64_t first, int64_t count);

 private:
  std::map<int64_t, int64_t> free_;  // pages by first page
};

}  // namespace qvg

#endif  // CACHE_POOL_FREE_RUNS_H_
