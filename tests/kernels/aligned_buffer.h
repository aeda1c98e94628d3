#ifndef TESTS_KERNELS_ALIGNED_BUFFER_H_
#define TESTS_KERNELS_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace qvg::kernels {

// A workspace: `size` bytes, aligned to 64, filled with a pattern that is no
// sensible number, so that nothing can rely on zeros.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(size_t size) : memory_(size + 64, 0xff), size_(size) {
    void* start = memory_.data();
    size_t space = memory_.size();
    data_ = std::align(64, size, start, space);
  }

  void* data() { return data_; }
  size_t size() const { return size_; }

 private:
  std::vector<uint8_t> memory_;
  size_t size_;
  void* data_;
};

}  // namespace qvg::kernels

#endif  // TESTS_KERNELS_ALIGNED_BUFFER_H_
