#ifndef SERVER_MEMORY_BUDGET_H_
#define SERVER_MEMORY_BUDGET_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace qvg {

// Half of the memory that is free, by `root`/proc/meminfo and the limit of the
// control group in `root`/sys/fs/cgroup; a quarter of a GiB if neither can be
// read. At most MemoryPool::kMaxBudgetBytes.
int64_t AutoBudget(const std::string& root = "");

// What is free on the current device, less what models take as they run: an
// eighth, but at least 2 GiB. UNAVAILABLE if that leaves nothing.
absl::StatusOr<int64_t> AutoDeviceBudget();

namespace internal {
// Of `free` bytes.
int64_t DeviceBudget(int64_t free);
}  // namespace internal

}  // namespace qvg

#endif  // SERVER_MEMORY_BUDGET_H_
