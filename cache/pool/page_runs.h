#ifndef CACHE_POOL_PAGE_RUNS_H_
#define CACHE_POOL_PAGE_RUNS_H_

#include <cstdint>
#include <vector>

namespace qvg {

// Hands out runs of consecutive pages of an address range that is larger than
// the memory behind it. The range has one zone for each power of two; a run
// takes a slot in the zone of the next power of two, and every zone has a slot
// for each run of its size that `pages` pages can make. So a run is found
// whenever enough pages are free, whatever was taken and returned before, in
// constant time. Thread-compatible.
class PageRuns {
 public:
  // At most `pages` pages, at least 1, are taken at any time.
  explicit PageRuns(int64_t pages);

  // The length of the address range, in pages: below 2 * pages *
  // (log2(pages) + 2).
  int64_t range_pages() const { return range_pages_; }

  // The first page of a run of `count` pages, 1 <= count <= pages. The caller
  // keeps the sum of what is taken within `pages`.
  int64_t Take(int64_t count);

  // Hands a run back, with the count that it was taken with.
  void Return(int64_t first, int64_t count);

 private:
  struct Zone {
    int64_t first = 0;      // page
    int64_t next_slot = 0;  // slots from here on were never taken
    std::vector<int64_t> returned;
  };

  std::vector<Zone> zones_;  // zone i: slots of 1 << i pages
  int64_t range_pages_ = 0;
};

}  // namespace qvg

#endif  // CACHE_POOL_PAGE_RUNS_H_
