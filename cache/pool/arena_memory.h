#ifndef CACHE_POOL_ARENA_MEMORY_H_
#define CACHE_POOL_ARENA_MEMORY_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "kernels/executor.h"

namespace qvg {

// The memory of a pool. All of it reads as zero at first.
class ArenaMemory {
 public:
  virtual ~ArenaMemory() = default;

  virtual uint8_t* base() const = 0;

  // [begin, begin + bytes), whole pages, reads as zero afterwards. On the host
  // the memory behind it goes back to the system; on a device this happens in
  // the order of the stream.
  virtual void Clear(uint8_t* begin, int64_t bytes) const = 0;
};

// `bytes` of address space of the host, or of memory of a device. That of a
// device is there in whole; RESOURCE_EXHAUSTED when it is not to be had,
// UNIMPLEMENTED without a device.
absl::StatusOr<std::unique_ptr<ArenaMemory>> MakeArenaMemory(
    const kernels::MemorySpace& space, int64_t bytes);

}  // namespace qvg

#endif  // CACHE_POOL_ARENA_MEMORY_H_
