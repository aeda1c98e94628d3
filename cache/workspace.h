#ifndef CACHE_WORKSPACE_H_
#define CACHE_WORKSPACE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace qvg {

// Scratch memory of a thread that packs, shared by all the sessions that it
// advances: it grows to the largest request and keeps nothing between two.
// Thread-compatible.
class Workspace {
 public:
  // At least `bytes` bytes, 64-byte aligned, of unspecified content. Ends the
  // life of what was handed out before.
  absl::StatusOr<absl::Span<uint8_t>> Get(size_t bytes) {
    const size_t lines = (bytes + sizeof(Line) - 1) / sizeof(Line);
    if (lines > lines_.size()) lines_ = std::vector<Line>(lines);
    return absl::Span<uint8_t>(reinterpret_cast<uint8_t*>(lines_.data()),
                               bytes);
  }

  size_t bytes() const { return lines_.size() * sizeof(Line); }

 private:
  struct alignas(64) Line {
    uint8_t bytes[64];
  };
  std::vector<Line> lines_;
};

}  // namespace qvg

#endif  // CACHE_WORKSPACE_H_
