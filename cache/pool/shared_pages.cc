#include "cache/pool/shared_pages.h"

#include <algorithm>

namespace qvg {
namespace {

uint64_t Mask(int first, int count) {
  const uint64_t ones = count == SharedPages::kGranules
                            ? ~uint64_t{0}
                            : (uint64_t{1} << count) - 1;
  return ones << first;
}

std::optional<int> FirstFit(uint64_t taken, int count) {
  for (int first = 0; first + count <= SharedPages::kGranules; ++first) {
    if ((taken & Mask(first, count)) == 0) return first;
  }
  return std::nullopt;
}

}  // namespace

std::optional<PagePart> SharedPages::Take(int count) {
  for (Page& page : pages_) {
    if (const std::optional<int> first = FirstFit(page.taken, count)) {
      page.taken |= Mask(*first, count);
      return PagePart{page.page, *first, count};
    }
  }
  return std::nullopt;
}

bool SharedPages::Return(const PagePart& part) {
  const auto page =
      std::find_if(pages_.begin(), pages_.end(),
                   [&](const Page& p) { return p.page == part.page; });
  page->taken &= ~Mask(part.first, part.count);
  if (page->taken != 0) return false;
  pages_.erase(page);
  return true;
}

}  // namespace qvg
