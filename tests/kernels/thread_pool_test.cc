#include "kernels/thread_pool.h"

#include <atomic>
#include <barrier>
#include <cstdint>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg::kernels {
namespace {

using ::testing::Each;
using ::testing::Eq;

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, CountsTheCaller) {
  EXPECT_EQ(ThreadPool(GetParam()).workers(), GetParam());
}

TEST_P(ThreadPoolTest, RunsEveryItemOnce) {
  ThreadPool pool(GetParam());
  for (const int64_t items : {0, 1, 2, 3, 7, 64, 1000}) {
    std::vector<std::atomic<int>> calls(items);
    pool(items, [&](int64_t item, int) { ++calls[item]; });
    for (int64_t i = 0; i < items; ++i) EXPECT_EQ(calls[i], 1) << i;
  }
}

TEST_P(ThreadPoolTest, WorkersAreInRange) {
  ThreadPool pool(GetParam());
  std::vector<int> workers(500, -1);
  pool(workers.size(),
       [&](int64_t item, int worker) { workers[item] = worker; });
  EXPECT_THAT(workers,
              Each(testing::AllOf(testing::Ge(0), testing::Lt(GetParam()))));
}

// Bodies that wait for each other finish only if all workers run at a time.
TEST_P(ThreadPoolTest, WorkersRunAtTheSameTimeEachOnItsOwn) {
  ThreadPool pool(GetParam());
  std::barrier meeting(GetParam());
  std::vector<int> workers(GetParam(), -1);
  pool(GetParam(), [&](int64_t item, int worker) {
    meeting.arrive_and_wait();
    workers[item] = worker;
  });
  EXPECT_EQ(std::set<int>(workers.begin(), workers.end()).size(), GetParam());
}

TEST_P(ThreadPoolTest, WritesAreVisibleToTheCallerAfterManyShortCalls) {
  ThreadPool pool(GetParam());
  std::vector<int64_t> sums(8, 0);
  for (int call = 0; call < 2000; ++call) {
    pool(sums.size(), [&](int64_t item, int) { sums[item] += item; });
  }
  for (int64_t i = 0; i < 8; ++i) EXPECT_EQ(sums[i], 2000 * i);
}

TEST_P(ThreadPoolTest, CallersTakeTurns) {
  ThreadPool pool(GetParam());
  std::atomic<int> inside[2] = {0, 0};
  std::atomic<int> overlaps = 0;
  auto call = [&](int caller) {
    for (int i = 0; i < 300; ++i) {
      pool(4, [&](int64_t, int) {
        ++inside[caller];
        std::this_thread::yield();
        overlaps += inside[1 - caller];
        --inside[caller];
      });
    }
  };
  std::thread other(call, 1);
  call(0);
  other.join();
  EXPECT_EQ(overlaps, 0);
}

INSTANTIATE_TEST_SUITE_P(Workers, ThreadPoolTest, testing::Values(1, 2, 5));

TEST(ThreadPool, LessThanOneWorkerIsOne) {
  ThreadPool pool(0);
  EXPECT_EQ(pool.workers(), 1);
  std::vector<int> calls(3, 0);
  pool(3, [&](int64_t item, int worker) { calls[item] += 1 + worker; });
  EXPECT_THAT(calls, Each(Eq(1)));
}

TEST(SerialFor, RunsItemsInOrderOnOneWorker) {
  SerialFor serial;
  EXPECT_EQ(serial.workers(), 1);
  std::vector<int64_t> items;
  serial(5, [&](int64_t item, int worker) { items.push_back(item + worker); });
  EXPECT_THAT(items, testing::ElementsAre(0, 1, 2, 3, 4));
}

}  // namespace
}  // namespace qvg::kernels
