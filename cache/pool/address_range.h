#ifndef CACHE_POOL_ADDRESS_RANGE_H_
#define CACHE_POOL_ADDRESS_RANGE_H_

#include <cstdint>

#include "absl/status/statusor.h"

namespace qvg {

// Reserved address space. Memory stands behind a page from its first touch
// until Release, and reads as zero at first. Move-only.
class AddressRange {
 public:
  // RESOURCE_EXHAUSTED when the system refuses that much address space.
  static absl::StatusOr<AddressRange> Reserve(int64_t bytes);

  AddressRange(AddressRange&& other) noexcept;
  AddressRange& operator=(AddressRange&&) = delete;
  ~AddressRange();

  uint8_t* base() const { return base_; }

  // The memory behind [begin, begin + bytes), whole pages, goes back to the
  // system; the range reads as zero afterwards.
  static void Release(uint8_t* begin, int64_t bytes);

 private:
  AddressRange(uint8_t* base, int64_t bytes) : base_(base), bytes_(bytes) {}

  uint8_t* base_;
  int64_t bytes_;
};

}  // namespace qvg

#endif  // CACHE_POOL_ADDRESS_RANGE_H_
