#include "client/picture.h"

namespace qvg {

absl::StatusOr<std::vector<Picture>> DecodePictures(absl::string_view) {
  return absl::UnimplementedError(
      "this build cannot decode video (QVG_WITH_FFMPEG=OFF)");
}

absl::StatusOr<std::string> EncodePng(const Picture&) {
  return absl::UnimplementedError(
      "this build cannot write PNG files (QVG_WITH_FFMPEG=OFF)");
}

}  // namespace qvg
