#ifndef SERVER_GENERATOR_CHECKPOINT_MAPPED_FILE_H_
#define SERVER_GENERATOR_CHECKPOINT_MAPPED_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace qvg {

// The bytes of a file, read as they are touched. Move-only; moving keeps the
// bytes where they are. The file must not be cut short while it is mapped:
// replace it by renaming another over it.
class MappedFile {
 public:
  // Of a regular file only. The status names the file: NOT_FOUND,
  // PERMISSION_DENIED and what else the system says.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  absl::Span<const uint8_t> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  const uint8_t* data_;
  size_t size_;
};

}  // namespace qvg

#endif  // SERVER_GENERATOR_CHECKPOINT_MAPPED_FILE_H_
