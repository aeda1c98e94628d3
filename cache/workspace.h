#ifndef CACHE_WORKSPACE_H_
#define CACHE_WORKSPACE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kernels/device_memory.h"
#include "kernels/executor.h"

namespace qvg {

// Scratch memory of a thread that packs, shared by all the sessions that it
// advances: it grows to the largest request and keeps nothing between two.
// Thread-compatible.
class Workspace {
 public:
  // For operations whose memory is of this kind.
  explicit Workspace(kernels::MemoryKind kind = kernels::MemoryKind::kHost)
      : kind_(kind) {}

  // At least `bytes` bytes, 64-byte aligned, of unspecified content. Ends the
  // life of what was handed out before; on a device, waits for it if it has to
  // grow. RESOURCE_EXHAUSTED when the device has no room.
  absl::StatusOr<absl::Span<uint8_t>> Get(size_t bytes);

  kernels::MemoryKind memory() const { return kind_; }
  size_t bytes() const {
    return lines_.size() * sizeof(Line) + on_device_.size();
  }

 private:
  struct alignas(64) Line {
    uint8_t bytes[64];
  };
  kernels::MemoryKind kind_;
  std::vector<Line> lines_;
  kernels::DeviceBuffer on_device_;
};

}  // namespace qvg

#endif  // CACHE_WORKSPACE_H_
