#include "server/memory_budget.h"

#include <algorithm>
#include <fstream>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cache/pool/memory_pool.h"

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

}  // namespace qvg
