#include "server/memory_budget.h"

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "cache/pool/memory_pool.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

class MemoryBudgetTest : public ::testing::Test {
 protected:
  MemoryBudgetTest() {
    std::filesystem::create_directories(root_ + "/proc");
    std::filesystem::create_directories(root_ + "/sys/fs/cgroup");
  }
  ~MemoryBudgetTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::ofstream(root_ + path) << text;
  }

  const std::string root_ =
      ::testing::TempDir() + "budget_" +
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(MemoryBudgetTest, IsHalfOfWhatIsAvailable) {
  Write("/proc/meminfo",
        "MemTotal:       16000000 kB\nMemFree:         1000000 kB\n"
        "MemAvailable:    8388608 kB\nBuffers: 1 kB\n");
  EXPECT_EQ(AutoBudget(root_), int64_t{4} << 30);
}

TEST_F(MemoryBudgetTest, TheControlGroupMayLeaveLess) {
  Write("/proc/meminfo", "MemAvailable:    8388608 kB\n");
  Write("/sys/fs/cgroup/memory.max", "3221225472\n");
  Write("/sys/fs/cgroup/memory.current", "1073741824\n");
  EXPECT_EQ(AutoBudget(root_), int64_t{1} << 30);
  Write("/sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(AutoBudget(root_), int64_t{4} << 30);
}

TEST_F(MemoryBudgetTest, HasAFallback) {
  EXPECT_EQ(AutoBudget(root_), int64_t{256} << 20);
}

TEST(MemoryBudget, OfADeviceModelsKeepAnEighth) {
  constexpr int64_t kGib = int64_t{1} << 30;
  EXPECT_EQ(internal::DeviceBudget(80 * kGib), 70 * kGib);
  EXPECT_EQ(internal::DeviceBudget(8 * kGib), 6 * kGib);
  EXPECT_EQ(internal::DeviceBudget(kGib), 0);
  EXPECT_LE(internal::DeviceBudget(10000 * kGib), MemoryPool::kMaxBudgetBytes);
}

TEST(MemoryBudget, ThisMachineHasSome) { EXPECT_GT(AutoBudget(), 0); }

}  // namespace
}  // namespace qvg
