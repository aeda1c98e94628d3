#include "server/memory_budget.h"

#include <algorithm>
#include <fstream>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cache/kernel_status.h"
#include "cache/pool/memory_pool.h"
#include "kernels/device_memory.h"

namespace qvg {
namespace {

constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

// The number in a file that holds one; kUnknown for "max" or no file.
int64_t ReadNumber(const std::string& path) {
  std::string word;
  int64_t value = 0;
  std::ifstream(path) >> word;
  return absl::SimpleAtoi(word, &value) ? value : kUnknown;
}

int64_t AvailableMemory(const std::string& root) {
  std::ifstream file(absl::StrCat(root, "/proc/meminfo"));
  std::string name, unit;
  int64_t kib = 0;
  while (file >> name >> kib) {
    if (name == "MemAvailable:") return kib << 10;
    std::getline(file, unit);
  }
  return kUnknown;
}

int64_t GroupMemory(const std::string& root) {
  const std::string group = absl::StrCat(root, "/sys/fs/cgroup/");
  const int64_t limit = ReadNumber(group + "memory.max");
  if (limit == kUnknown) return kUnknown;
  const int64_t used = ReadNumber(group + "memory.current");
  return std::max<int64_t>(0, limit - (used == kUnknown ? 0 : used));
}

}  // namespace

int64_t AutoBudget(const std::string& root) {
  const int64_t free = std::min(AvailableMemory(root), GroupMemory(root));
  if (free == kUnknown) return int64_t{256} << 20;
  return std::min(free / 2, MemoryPool::kMaxBudgetBytes);
}

int64_t internal::DeviceBudget(int64_t free) {
  constexpr int64_t kLeast = int64_t{2} << 30;
  return std::clamp<int64_t>(free - std::max(free / 8, kLeast), 0,
                             MemoryPool::kMaxBudgetBytes);
}

absl::StatusOr<int64_t> AutoDeviceBudget() {
  size_t free = 0;
  const kernels::Error error = kernels::FreeDeviceMemory(&free);
  if (!error.ok()) return ToStatus(error);
  const int64_t budget = internal::DeviceBudget(static_cast<int64_t>(free));
  if (budget > 0) return budget;
  return absl::UnavailableError(
      absl::StrCat("the device has ", free, " bytes left"));
}

}  // namespace qvg
