#include "client/media_sink.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace qvg {
namespace {

absl::Status WriteError(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat(
      "--out is \"", path, "\"; cannot write there: ", std::strerror(errno)));
}

class NoSink : public MediaSink {
 public:
  absl::Status Write(const std::string&, const Chunk&) override {
    return absl::OkStatus();
  }
  absl::Status Close() override { return absl::OkStatus(); }
};

// Init segment and fragments, or frames, one after the other in one file.
class FileSink : public MediaSink {
 public:
  explicit FileSink(std::string path)
      : path_(std::move(path)),
        file_(path_ == "-" ? stdout : std::fopen(path_.c_str(), "wb")) {}

  ~FileSink() override {
    if (file_ != nullptr && file_ != stdout) std::fclose(file_);
  }

  bool open() const { return file_ != nullptr; }

  absl::Status Write(const std::string& init_segment,
                     const Chunk& chunk) override {
    if (std::exchange(first_, false)) Append(init_segment);
    for (const MediaFile& media : chunk.media) Append(media.data);
    return Check(std::fflush(file_) == 0);
  }

  absl::Status Close() override {
    FILE* file = std::exchange(file_, nullptr);
    return Check((file == stdout ? std::fflush(file) : std::fclose(file)) == 0);
  }

 private:
  void Append(const std::string& data) {
    good_ &= std::fwrite(data.data(), 1, data.size(), file_) == data.size();
  }
  absl::Status Check(bool good) {
    good_ &= good;
    return good_ ? absl::OkStatus() : WriteError(path_);
  }

  const std::string path_;
  FILE* file_;
  bool first_ = true;
  bool good_ = true;
};

// One file per frame.
class FolderSink : public MediaSink {
 public:
  explicit FolderSink(std::string path) : path_(std::move(path)) {}

  absl::Status Write(const std::string&, const Chunk& chunk) override {
    for (const MediaFile& media : chunk.media) {
      FileSink file(
          absl::StrFormat("%s/frame_%06d.jpg", path_,
                          chunk.done.first_frame() + media.frame_index));
      if (!file.open()) return WriteError(path_);
      Chunk one;
      one.media = {media};
      absl::Status status = file.Write("", one);
      if (status.ok()) status = file.Close();
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status Close() override { return absl::OkStatus(); }

 private:
  const std::string path_;
};

absl::StatusOr<std::unique_ptr<MediaSink>> OpenFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error || !std::filesystem::is_directory(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--out is \"", path,
                     "\"; JPEG needs a folder there: ", error.message()));
  }
  return std::make_unique<FolderSink>(path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MediaSink>> OpenMediaSink(
    v1::OutputFormat format, const std::string& path) {
  if (path.empty()) return std::make_unique<NoSink>();
  if (format == v1::OUTPUT_FORMAT_JPEG) return OpenFolder(path);
  auto sink = std::make_unique<FileSink>(path);
  if (!sink->open()) return WriteError(path);
  return sink;
}

}  // namespace qvg
