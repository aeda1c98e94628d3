#include "cache/pool/page_runs.h"

#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace qvg {
namespace {

TEST(PageRunsTest, OnePageRangeHasOneRun) {
  PageRuns runs(1);
  EXPECT_EQ(runs.range_pages(), 1);
  EXPECT_EQ(runs.Take(1), 0);
}

TEST(PageRunsTest, RangeStaysWithinItsBound) {
  for (const int64_t pages : {1, 2, 3, 7, 8, 1000, 1 << 20, 1 << 28}) {
    PageRuns runs(pages);
    EXPECT_GE(runs.range_pages(), pages);
    EXPECT_LT(runs.range_pages(), 2 * pages * (std::log2(pages) + 2));
  }
}

TEST(PageRunsTest, ReturnedRunIsTakenAgain) {
  PageRuns runs(64);
  const int64_t first = runs.Take(5);
  runs.Return(first, 5);
  EXPECT_EQ(runs.Take(8), first);  // the same power of two
}

// The runs now taken, by first page, checked for overlap as they come.
class TakenRuns {
 public:
  explicit TakenRuns(int64_t pages) : pages_(pages), runs_(pages) {}

  void Take(int64_t count) {
    const int64_t first = runs_.Take(count);
    ASSERT_GE(first, 0);
    ASSERT_LE(first + count, runs_.range_pages());
    const auto next = taken_.lower_bound(first);
    if (next != taken_.end()) {
      ASSERT_LE(first + count, next->first);
    }
    if (next != taken_.begin()) {
      const auto before = std::prev(next);
      ASSERT_LE(before->first + before->second, first);
    }
    taken_[first] = count;
    total_ += count;
  }

  void ReturnOne(int64_t index) {
    const auto run = std::next(taken_.begin(), index % taken_.size());
    runs_.Return(run->first, run->second);
    total_ -= run->second;
    taken_.erase(run);
  }

  int64_t room() const { return pages_ - total_; }
  bool empty() const { return taken_.empty(); }

 private:
  int64_t pages_;
  PageRuns runs_;
  std::map<int64_t, int64_t> taken_;
  int64_t total_ = 0;
};

// Random sizes up to the last free page: a run is found every time, inside
// the range, apart from all others.
TEST(PageRunsTest, RandomRunsNeverOverlapAndAlwaysFit) {
  std::mt19937_64 random(1);
  for (const int64_t pages : {1, 3, 17, 64, 100}) {
    TakenRuns taken(pages);
    for (int i = 0; i < 20'000; ++i) {
      const bool take = taken.room() > 0 && (taken.empty() || random() % 3);
      if (take) {
        taken.Take(1 + static_cast<int64_t>(random() % taken.room()));
      } else {
        taken.ReturnOne(static_cast<int64_t>(random() % 1024));
      }
      ASSERT_FALSE(HasFatalFailure());
    }
  }
}

// The pattern that defeats first fit: many short runs, every other one freed,
// then runs one page longer.
TEST(PageRunsTest, AlternateHolesDoNotStarveLongerRuns) {
  constexpr int64_t kPages = 1024;
  for (int64_t length = 1; length <= kPages / 4; length *= 2) {
    PageRuns runs(kPages);
    std::vector<int64_t> taken;
    for (int64_t i = 0; i < kPages / length; ++i) {
      taken.push_back(runs.Take(length));
    }
    for (size_t i = 0; i < taken.size(); i += 2) runs.Return(taken[i], length);
    for (int64_t i = 0; i < kPages / 2 / (length + 1); ++i) {
      EXPECT_LE(runs.Take(length + 1) + length + 1, runs.range_pages());
    }
  }
}

}  // namespace
}  // namespace qvg
