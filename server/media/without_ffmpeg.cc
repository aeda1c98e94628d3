#include "absl/strings/str_cat.h"
#include "server/media/encoders.h"

namespace qvg {
namespace {

absl::Status Missing(absl::string_view format) {
  return absl::UnimplementedError(
      absl::StrCat("output_format is ", format,
                   "; this build has raw RGB24 only (QVG_WITH_FFMPEG=OFF)"));
}

}  // namespace

bool HaveFfmpeg() { return false; }

absl::StatusOr<std::unique_ptr<MediaEncoder>> NewH264Encoder(const MediaSpec&) {
  return Missing("H.264");
}

absl::StatusOr<std::unique_ptr<MediaEncoder>> NewJpegEncoder(const MediaSpec&) {
  return Missing("JPEG");
}

}  // namespace qvg
