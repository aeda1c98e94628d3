#include "client/contact_sheet.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace qvg {
namespace {

constexpr int kGap = 2;

// The frames of a chunk of raw RGB24.
absl::StatusOr<std::vector<Picture>> CutRaw(const v1::Started& started,
                                            const std::string& data) {
  const size_t bytes = size_t{3} * started.width() * started.height();
  std::vector<Picture> pictures;
  for (size_t at = 0; bytes > 0 && at + bytes <= data.size(); at += bytes) {
    pictures.push_back({static_cast<int>(started.width()),
                        static_cast<int>(started.height()),
                        {data.begin() + at, data.begin() + at + bytes}});
  }
  return pictures;
}

absl::StatusOr<std::vector<Picture>> DecodeJpegs(
    const std::vector<MediaFile>& files) {
  std::vector<Picture> pictures;
  for (const MediaFile& file : files) {
    auto decoded = DecodePictures(file.data);
    if (!decoded.ok()) return decoded.status();
    for (Picture& picture : *decoded) pictures.push_back(std::move(picture));
  }
  return pictures;
}

absl::StatusOr<std::vector<Picture>> DecodeChunk(
    const v1::Started& started, const std::string& init_segment,
    const Chunk& chunk) {
  if (chunk.media.empty()) return absl::DataLossError("a chunk has no media");
  switch (started.output_format()) {
    case v1::OUTPUT_FORMAT_RAW_RGB24:
      return CutRaw(started, chunk.media[0].data);
    case v1::OUTPUT_FORMAT_JPEG:
      return DecodeJpegs(chunk.media);
    default:
      return DecodePictures(init_segment + chunk.media[0].data);
  }
}

}  // namespace

ContactSheet::ContactSheet(int pictures, uint64_t total_frames) {
  const uint64_t n = std::min<uint64_t>(pictures, total_frames);
  for (uint64_t i = 0; i < n; ++i) {
    wanted_.push_back(n == 1 ? 0 : i * (total_frames - 1) / (n - 1));
  }
}

void ContactSheet::Add(const Chunk& chunk) {
  Kept kept;
  for (uint64_t frame : wanted_) {
    if (frame >= chunk.done.first_frame() &&
        frame < chunk.done.first_frame() + chunk.done.frames()) {
      kept.frames.push_back(frame - chunk.done.first_frame());
    }
  }
  if (kept.frames.empty()) return;
  kept.chunk = chunk;
  kept_.push_back(std::move(kept));
}

absl::StatusOr<Picture> ContactSheet::Render(
    const v1::Started& started, const std::string& init_segment) const {
  std::vector<Picture> pictures;
  for (const Kept& kept : kept_) {
    auto decoded = DecodeChunk(started, init_segment, kept.chunk);
    if (!decoded.ok()) return decoded.status();
    for (uint32_t frame : kept.frames) {
      if (frame >= decoded->size()) {
        return absl::DataLossError(
            absl::StrCat("chunk ", kept.chunk.done.chunk_index(), " has ",
                         decoded->size(), " frames"));
      }
      pictures.push_back((*decoded)[frame]);
    }
  }
  if (pictures.empty()) {
    return absl::FailedPreconditionError("no frame for a contact sheet");
  }
  return Tile(pictures);
}

Picture Tile(const std::vector<Picture>& pictures) {
  const int count = static_cast<int>(pictures.size());
  const int columns = static_cast<int>(std::ceil(std::sqrt(count)));
  const int rows = (count + columns - 1) / columns;
  const int width = pictures[0].width;
  const int height = pictures[0].height;
  Picture sheet;
  sheet.width = columns * (width + kGap) - kGap;
  sheet.height = rows * (height + kGap) - kGap;
  sheet.rgb.assign(size_t{3} * sheet.width * sheet.height, 0);
  for (int i = 0; i < count; ++i) {
    const int x = i % columns * (width + kGap);
    for (int row = 0; row < height; ++row) {
      const int y = i / columns * (height + kGap) + row;
      std::copy_n(pictures[i].rgb.begin() + size_t{3} * row * width, 3 * width,
                  sheet.rgb.begin() + 3 * (size_t{1} * y * sheet.width + x));
    }
  }
  return sheet;
}

}  // namespace qvg
