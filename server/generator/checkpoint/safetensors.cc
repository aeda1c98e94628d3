#include "server/generator/checkpoint/safetensors.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/generator/checkpoint/safetensors_header.h"

namespace qvg {
namespace {

constexpr size_t kLengthBytes = 8;

uint64_t LittleEndian(absl::Span<const uint8_t> bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

}  // namespace

const StoredTensor* Safetensors::Find(absl::string_view name) const {
  const auto at = std::lower_bound(
      tensors.begin(), tensors.end(), name,
      [](const StoredTensor& t, absl::string_view n) { return t.name < n; });
  return at != tensors.end() && at->name == name ? &*at : nullptr;
}

absl::StatusOr<Safetensors> ParseSafetensors(absl::Span<const uint8_t> file) {
  if (file.size() < kLengthBytes) {
    return absl::DataLossError(absl::StrCat(
        "cut short: ", file.size(), " bytes, the header's length takes 8"));
  }
  const uint64_t length = LittleEndian(file);
  file.remove_prefix(kLengthBytes);
  const uint64_t most =
      std::min<uint64_t>(file.size(), SafetensorsHeader::kMaxBytes);
  if (length > most) {
    return absl::DataLossError(
        absl::StrCat("header length: ", length, ", at most ", most));
  }
  const absl::Span<const uint8_t> data = file.subspan(length);
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader(
      absl::string_view(reinterpret_cast<const char*>(file.data()), length),
      static_cast<int64_t>(data.size()));
  if (!header.ok()) return header.status();

  Safetensors contents;
  contents.metadata = std::move(header->metadata);
  for (SafetensorsEntry& entry : header->entries) {
    contents.tensors.push_back(
        {std::move(entry.name), entry.dtype, std::move(entry.shape),
         data.subspan(entry.begin, entry.end - entry.begin)});
  }
  std::sort(contents.tensors.begin(), contents.tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) {
              return a.name < b.name;
            });
  return contents;
}

SafetensorsFile::SafetensorsFile(MappedFile file, Safetensors contents)
    : file_(std::move(file)), contents_(std::move(contents)) {}

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  absl::StatusOr<MappedFile> file = MappedFile::Open(path);
  if (!file.ok()) return file.status();
  absl::StatusOr<Safetensors> contents = ParseSafetensors(file->bytes());
  if (!contents.ok()) {
    return absl::Status(contents.status().code(),
                        absl::StrCat(path, ": ", contents.status().message()));
  }
  return SafetensorsFile(*std::move(file), *std::move(contents));
}

}  // namespace qvg
