#include "server/generator/tinyworld/torch_parallel_for.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>

namespace qvg::tinyworld {
namespace {

TEST(TorchParallelForTest, RunsEveryItemOnceOnEveryThread) {
  constexpr int kItems = 8;
  at::set_num_threads(2);
  TorchParallelFor parallel_for;
  ASSERT_EQ(parallel_for.workers(), 2);
  std::array<std::atomic<int>, kItems> runs{};
  std::array<std::atomic<int>, 2> by_worker{};
  parallel_for(kItems, [&](int64_t item, int worker) {
    ++runs[item];
    ++by_worker[worker];
  });
  for (const auto& count : runs) EXPECT_EQ(count, 1);
  for (const auto& count : by_worker) EXPECT_EQ(count, kItems / 2);
}

TEST(TorchParallelForTest, NoItemsAreNoWork) {
  TorchParallelFor parallel_for;
  parallel_for(0, [](int64_t, int) { FAIL(); });
}

}  // namespace
}  // namespace qvg::tinyworld
