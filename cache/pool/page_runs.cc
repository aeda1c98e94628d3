#include "cache/pool/page_runs.h"

#include <bit>

namespace qvg {
namespace {

int ZoneOf(int64_t count) {
  return std::bit_width(static_cast<uint64_t>(count) - 1);
}

// The shortest run that goes into zone `zone`.
int64_t ShortestRun(int zone) {
  return zone == 0 ? 1 : (int64_t{1} << (zone - 1)) + 1;
}

}  // namespace

PageRuns::PageRuns(int64_t pages) {
  for (int zone = 0; ShortestRun(zone) <= pages; ++zone) {
    zones_.emplace_back().first = range_pages_;
    range_pages_ += (pages / ShortestRun(zone)) << zone;
  }
}

int64_t PageRuns::Take(int64_t count) {
  const int index = ZoneOf(count);
  Zone& zone = zones_[index];
  if (zone.returned.empty()) return zone.first + (zone.next_slot++ << index);
  const int64_t first = zone.returned.back();
  zone.returned.pop_back();
  return first;
}

void PageRuns::Return(int64_t first, int64_t count) {
  zones_[ZoneOf(count)].returned.push_back(first);
}

}  // namespace qvg
