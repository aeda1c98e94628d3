#include "cache/pool/address_range.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace qvg {

absl::StatusOr<AddressRange> AddressRange::Reserve(int64_t bytes) {
  void* base = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot reserve ", bytes,
                     " bytes of address space: ", std::strerror(errno)));
  }
  // A huge page would put memory behind pages that nobody has touched, and
  // the pool would hold more than it has counted.
  madvise(base, static_cast<size_t>(bytes), MADV_NOHUGEPAGE);
  return AddressRange(static_cast<uint8_t*>(base), bytes);
}

AddressRange::AddressRange(AddressRange&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

AddressRange::~AddressRange() {
  if (base_ != nullptr) munmap(base_, static_cast<size_t>(bytes_));
}

void AddressRange::Release(uint8_t* begin, int64_t bytes) {
  const size_t size = static_cast<size_t>(bytes);
  // Refused for locked memory and where the system's pages are larger.
  if (madvise(begin, size, MADV_DONTNEED) != 0) std::memset(begin, 0, size);
}

}  // namespace qvg
