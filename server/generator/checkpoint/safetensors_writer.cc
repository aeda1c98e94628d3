#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/generator/checkpoint/safetensors.h"
#include "server/generator/checkpoint/safetensors_header.h"

namespace qvg {
namespace {

constexpr size_t kDataAlignment = 64;

// Bytes that are no UTF-8 are left out, which CheckNames finds.
std::string Quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false,
                                   nlohmann::json::error_handler_t::ignore);
}

// Largest elements first, so that every tensor starts at a multiple of its
// element size.
std::vector<const StoredTensor*> InDataOrder(
    absl::Span<const StoredTensor> tensors) {
  std::vector<const StoredTensor*> order;
  for (const StoredTensor& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(),
            [](const StoredTensor* a, const StoredTensor* b) {
              return std::make_tuple(-ElementBytes(a->dtype), a->name) <
                     std::make_tuple(-ElementBytes(b->dtype), b->name);
            });
  return order;
}

std::string MetadataText(const std::map<std::string, std::string>& metadata) {
  return absl::StrCat("\"__metadata__\":{",
                      absl::StrJoin(metadata, ",",
                                    [](std::string* out, const auto& row) {
                                      absl::StrAppend(out, Quoted(row.first),
                                                      ":", Quoted(row.second));
                                    }),
                      "}");
}

std::string HeaderText(absl::Span<const StoredTensor* const> order,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> fields;
  if (!metadata.empty()) fields.push_back(MetadataText(metadata));
  size_t begin = 0;
  for (const StoredTensor* tensor : order) {
    const size_t end = begin + tensor->bytes.size();
    fields.push_back(absl::StrCat(
        Quoted(tensor->name), ":{\"dtype\":\"", ToString(tensor->dtype),
        "\",\"shape\":[", absl::StrJoin(tensor->shape, ","),
        "],\"data_offsets\":[", begin, ",", end, "]}"));
    begin = end;
  }
  std::string text = absl::StrCat("{", absl::StrJoin(fields, ","), "}");
  const size_t unaligned = (8 + text.size()) % kDataAlignment;
  if (unaligned != 0) text.append(kDataAlignment - unaligned, ' ');
  return text;
}

// What was written reads back as what was given.
absl::Status CheckNames(const SafetensorsHeader& header,
                        absl::Span<const StoredTensor* const> order,
                        const std::map<std::string, std::string>& metadata) {
  std::vector<absl::string_view> given, read;
  for (const StoredTensor* tensor : order) given.push_back(tensor->name);
  for (const SafetensorsEntry& entry : header.entries) {
    read.push_back(entry.name);
  }
  std::sort(given.begin(), given.end());
  std::sort(read.begin(), read.end());
  if (given == read && header.metadata == metadata) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "a name or a metadata text is no UTF-8, or a tensor is called "
      "\"__metadata__\"");
}

absl::Status CheckHeader(const std::string& text,
                         absl::Span<const StoredTensor* const> order,
                         const std::map<std::string, std::string>& metadata) {
  int64_t data_bytes = 0;
  for (const StoredTensor* tensor : order) {
    data_bytes += static_cast<int64_t>(tensor->bytes.size());
  }
  if (text.size() > SafetensorsHeader::kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("header length: ", text.size(), ", at most ",
                     SafetensorsHeader::kMaxBytes));
  }
  const auto header = ParseSafetensorsHeader(text, data_bytes);
  if (!header.ok()) {
    return absl::InvalidArgumentError(header.status().message());
  }
  return CheckNames(*header, order, metadata);
}

// A file that is gone unless it is renamed to its name.
class PartialFile {
 public:
  explicit PartialFile(const std::string& path)
      : path_(path),
        partial_(absl::StrCat(path, ".partial")),
        fd_(open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                 0644)) {
    if (fd_ < 0) status_ = LastError();
  }
  PartialFile(const PartialFile&) = delete;
  ~PartialFile() {
    if (fd_ < 0) return;
    close(fd_);
    unlink(partial_.c_str());
  }

  // Nothing is written after an error, which Finish returns.
  void Write(const void* data, size_t size) {
    const char* from = static_cast<const char*>(data);
    while (status_.ok() && size > 0) {
      const ssize_t written = write(fd_, from, size);
      if (written >= 0) {
        from += written;
        size -= static_cast<size_t>(written);
      } else if (errno != EINTR) {
        status_ = LastError();
      }
    }
  }

  absl::Status Finish() {
    if (!status_.ok()) return status_;
    if (fsync(fd_) != 0) return LastError();
    if (std::rename(partial_.c_str(), path_.c_str()) != 0) return LastError();
    return absl::OkStatus();
  }

 private:
  absl::Status LastError() const { return absl::ErrnoToStatus(errno, path_); }

  std::string path_;
  std::string partial_;
  absl::Status status_;
  const int fd_;
};

std::string LittleEndian(uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) {
    bytes.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  }
  return bytes;
}

}  // namespace

absl::Status WriteSafetensors(
    const std::string& path, absl::Span<const StoredTensor> tensors,
    const std::map<std::string, std::string>& metadata) {
  const std::vector<const StoredTensor*> order = InDataOrder(tensors);
  const std::string header = HeaderText(order, metadata);
  absl::Status status = CheckHeader(header, order, metadata);
  if (!status.ok()) return status;

  PartialFile file(path);
  const std::string head = LittleEndian(header.size()) + header;
  file.Write(head.data(), head.size());
  for (const StoredTensor* tensor : order) {
    file.Write(tensor->bytes.data(), tensor->bytes.size());
  }
  return file.Finish();
}

}  // namespace qvg
