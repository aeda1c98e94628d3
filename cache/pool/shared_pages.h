#ifndef CACHE_POOL_SHARED_PAGES_H_
#define CACHE_POOL_SHARED_PAGES_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace qvg {

// Part of a page that a small buffer takes: `count` granules of it.
struct PagePart {
  int64_t page = 0;
  int first = 0;
  int count = 0;
};

// The pages that the small buffers of one reservation share. A page has 64
// granules, one bit each. Thread-compatible.
class SharedPages {
 public:
  static constexpr int kGranules = 64;

  // First fit of `count` granules, 1 <= count <= kGranules; nothing when no
  // page has room.
  std::optional<PagePart> Take(int count);

  // Adds a page that is free in whole.
  void Add(int64_t page) { pages_.push_back({page, 0}); }

  // Hands a part back; true when its page became free, and is then no longer
  // shared.
  bool Return(const PagePart& part);

 private:
  struct Page {
    int64_t page;
    uint64_t taken;  // bit i: granule i
  };
  std::vector<Page> pages_;
};

}  // namespace qvg

#endif  // CACHE_POOL_SHARED_PAGES_H_
