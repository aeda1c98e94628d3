#ifndef SERVER_GENERATOR_CHECKPOINT_SAFETENSORS_H_
#define SERVER_GENERATOR_CHECKPOINT_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/generator/checkpoint/dtype.h"
#include "server/generator/checkpoint/mapped_file.h"

namespace qvg {

// A stored tensor: contiguous, row-major, little-endian, its start aligned to
// nothing. A view: owns none of its bytes.
struct StoredTensor {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;  // empty: one number
  absl::Span<const uint8_t> bytes;
};

// The contents of a safetensors file: eight bytes of header length, the header
// in JSON, the data.
struct Safetensors {
  std::vector<StoredTensor> tensors;  // by name
  std::map<std::string, std::string> metadata;

  // Null when there is none of this name.
  const StoredTensor* Find(absl::string_view name) const;
};

// Reads `file`, which must outlive what it returns. Refuses whatever is not
// exactly what a header describes (ParseSafetensorsHeader) and headers over
// SafetensorsHeader::kMaxBytes, with DATA_LOSS that says what is wrong.
absl::StatusOr<Safetensors> ParseSafetensors(absl::Span<const uint8_t> file);

// A file on disk, its bytes read as they are touched. Move-only.
class SafetensorsFile {
 public:
  // Errors of ParseSafetensors and MappedFile::Open; all name the file.
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  // Valid as long as the file object, or what it was moved to.
  const Safetensors& contents() const { return contents_; }

 private:
  SafetensorsFile(MappedFile file, Safetensors contents);

  MappedFile file_;
  Safetensors contents_;
};

// Writes a file, whole or not at all, that any reader of the format takes; the
// same tensors give the same bytes in any order. Data begins at a multiple of
// 64 bytes, every tensor at a multiple of its element size. INVALID_ARGUMENT
// names a tensor given twice, with bytes that do not fit its shape, or a name
// that is no UTF-8; other errors are the system's.
absl::Status WriteSafetensors(
    const std::string& path, absl::Span<const StoredTensor> tensors,
    const std::map<std::string, std::string>& metadata = {});

}  // namespace qvg

#endif  // SERVER_GENERATOR_CHECKPOINT_SAFETENSORS_H_
