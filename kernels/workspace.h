#ifndef KERNELS_WORKSPACE_H_
#define KERNELS_WORKSPACE_H_

#include <cstddef>
#include <cstdint>

#include "kernels/error.h"

namespace qvg::kernels {

inline constexpr size_t kWorkspaceAlignment = 64;

// Cuts a workspace into aligned pieces. Without memory it only counts, so that
// one function says both how much is needed and where everything lies.
class WorkspaceCutter {
 public:
  explicit WorkspaceCutter(void* memory = nullptr)
      : memory_(static_cast<char*>(memory)) {}

  // The next `count` elements; null when counting.
  template <typename T>
  T* Take(int64_t count) {
    char* piece = memory_ == nullptr ? nullptr : memory_ + bytes_;
    const size_t bytes = static_cast<size_t>(count) * sizeof(T);
    bytes_ += (bytes + kWorkspaceAlignment - 1) / kWorkspaceAlignment *
              kWorkspaceAlignment;
    return reinterpret_cast<T*>(piece);
  }

  size_t bytes() const { return bytes_; }

 private:
  char* memory_;
  size_t bytes_ = 0;
};

// Whether a workspace of `bytes` can serve as one of `needed`.
inline Error CheckWorkspace(const void* workspace, size_t bytes,
                            size_t needed) {
  if (bytes < needed) return Error::Invalid("workspace_bytes: too small");
  if (needed > 0 &&
      (workspace == nullptr ||
       reinterpret_cast<uintptr_t>(workspace) % kWorkspaceAlignment != 0)) {
    return Error::Invalid("workspace: must be aligned to 64 bytes");
  }
  return Error::Ok();
}

}  // namespace qvg::kernels

#endif  // KERNELS_WORKSPACE_H_
