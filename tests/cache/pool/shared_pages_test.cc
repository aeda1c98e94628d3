#include "cache/pool/shared_pages.h"

#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace qvg {
namespace {

TEST(SharedPagesTest, NothingWithoutPages) {
  SharedPages pages;
  EXPECT_FALSE(pages.Take(1).has_value());
}

TEST(SharedPagesTest, WholePageIsOnePart) {
  SharedPages pages;
  pages.Add(7);
  const std::optional<PagePart> part = pages.Take(SharedPages::kGranules);
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->page, 7);
  EXPECT_EQ(part->first, 0);
  EXPECT_FALSE(pages.Take(1).has_value());
  EXPECT_TRUE(pages.Return(*part));
  EXPECT_FALSE(pages.Take(1).has_value());  // the page is gone
}

TEST(SharedPagesTest, HoleIsFilledBeforeTheNextPage) {
  SharedPages pages;
  pages.Add(0);
  pages.Add(1);
  const PagePart a = *pages.Take(10);
  const PagePart b = *pages.Take(10);
  EXPECT_FALSE(pages.Return(a));
  const PagePart c = *pages.Take(9);
  EXPECT_EQ(c.page, a.page);
  EXPECT_EQ(c.first, a.first);
  EXPECT_EQ(pages.Take(50)->page, 1);  // 44 + 1 granules are left on page 0
  EXPECT_FALSE(pages.Return(b));
  EXPECT_TRUE(pages.Return(c));
}

TEST(SharedPagesTest, RandomPartsNeverOverlap) {
  std::mt19937_64 random(2);
  SharedPages pages;
  std::vector<PagePart> parts;
  std::map<int64_t, std::set<int>> taken;
  int64_t next_page = 0;
  for (int i = 0; i < 30'000; ++i) {
    if (parts.empty() || (parts.size() < 40 && random() % 2)) {
      const int count = 1 + static_cast<int>(random() % 64);
      std::optional<PagePart> part = pages.Take(count);
      if (!part.has_value()) {
        pages.Add(next_page++);
        part = pages.Take(count);
      }
      ASSERT_TRUE(part.has_value());
      ASSERT_EQ(part->count, count);
      ASSERT_LE(part->first + count, SharedPages::kGranules);
      for (int g = 0; g < count; ++g) {
        ASSERT_TRUE(taken[part->page].insert(part->first + g).second);
      }
      parts.push_back(*part);
    } else {
      std::swap(parts[random() % parts.size()], parts.back());
      const PagePart part = parts.back();
      parts.pop_back();
      for (int g = 0; g < part.count; ++g) {
        taken[part.page].erase(part.first + g);
      }
      ASSERT_EQ(pages.Return(part), taken[part.page].empty());
    }
  }
}

}  // namespace
}  // namespace qvg
