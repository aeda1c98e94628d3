#include "cache/pool/free_runs.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace qvg {
namespace {

TEST(FreeRunsTest, EmptyHasNone) {
  FreeRuns runs(7, 0);
  EXPECT_FALSE(runs.Take(1).has_value());
}

TEST(FreeRunsTest, FirstFit) {
  FreeRuns runs(10, 10);
  EXPECT_EQ(runs.Take(3), 10);
  EXPECT_EQ(runs.Take(4), 13);
  EXPECT_EQ(runs.Take(4), std::nullopt);
  EXPECT_EQ(runs.Take(3), 17);
  EXPECT_EQ(runs.Take(1), std::nullopt);
}

TEST(FreeRunsTest, NeighboursGrowTogether) {
  for (const std::vector<int64_t>& order :
       {std::vector<int64_t>{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {2, 1, 0}}) {
    FreeRuns runs(0, 3);
    for (int i = 0; i < 3; ++i) ASSERT_EQ(runs.Take(1), i);
    for (const int64_t page : order) runs.Return(page, 1);
    EXPECT_EQ(runs.Take(3), 0);
  }
}

TEST(FreeRunsTest, OneSizeIsNeverScattered) {
  FreeRuns runs(0, 30);
  std::vector<int64_t> taken;
  for (int i = 0; i < 10; ++i) taken.push_back(*runs.Take(3));
  for (int i = 0; i < 10; i += 2) runs.Return(taken[i], 3);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(runs.Take(3).has_value());
  EXPECT_FALSE(runs.Take(1).has_value());
}

// Against a set of pages: what is taken was free, and is found if it is there.
TEST(FreeRunsTest, AgreesWithASetOfPages) {
  constexpr int64_t kPages = 64;
  std::mt19937_64 random(3);
  FreeRuns runs(0, kPages);
  std::vector<bool> free(kPages, true);
  std::vector<std::pair<int64_t, int64_t>> taken;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0 && !taken.empty()) {
      std::swap(taken[random() % taken.size()], taken.back());
      const auto [first, count] = taken.back();
      taken.pop_back();
      for (int64_t i = 0; i < count; ++i) free[first + i] = true;
      runs.Return(first, count);
      continue;
    }
    const int64_t count = 1 + static_cast<int64_t>(random() % 12);
    int64_t length = 0, longest = 0;
    for (const bool is_free : free) {
      length = is_free ? length + 1 : 0;
      longest = std::max(longest, length);
    }
    const auto first = runs.Take(count);
    ASSERT_EQ(first.has_value(), longest >= count);
    if (!first.has_value()) continue;
    for (int64_t i = 0; i < count; ++i) {
      ASSERT_TRUE(free[*first + i]);
      free[*first + i] = false;
    }
    taken.emplace_back(*first, count);
  }
}

}  // namespace
}  // namespace qvg
