#include "cache/workspace.h"

#include "cache/kernel_status.h"

namespace qvg {

absl::StatusOr<absl::Span<uint8_t>> Workspace::Get(size_t bytes) {
  const size_t lines = (bytes + sizeof(Line) - 1) / sizeof(Line);
  if (kind_ == kernels::MemoryKind::kHost) {
    if (lines > lines_.size()) lines_ = std::vector<Line>(lines);
    return absl::Span<uint8_t>(reinterpret_cast<uint8_t*>(lines_.data()),
                               bytes);
  }
  if (lines * sizeof(Line) > on_device_.size()) {
    const absl::Status status =
        ToStatus(on_device_.Allocate(lines * sizeof(Line)));
    if (!status.ok()) return status;
  }
  return absl::Span<uint8_t>(static_cast<uint8_t*>(on_device_.data()), bytes);
}

}  // namespace qvg
