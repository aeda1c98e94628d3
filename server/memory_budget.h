#ifndef SERVER_MEMORY_BUDGET_H_
#define SERVER_MEMORY_BUDGET_H_

#include <cstdint>
#include <string>

namespace qvg {

// Half of the memory that is free, by `root`/proc/meminfo and the limit of the
// control group in `root`/sys/fs/cgroup; a quarter of a GiB if neither can be
// read. At most MemoryPool::kMaxBudgetBytes.
int64_t AutoBudget(const std::string& root = "");

}  // namespace qvg

#endif  // SERVER_MEMORY_BUDGET_H_
