#ifndef CLIENT_PICTURE_H_
#define CLIENT_PICTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace qvg {

struct Picture {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // [height,width,3]
};

// Decodes every frame of a file (MP4, JPEG) in memory, in order. DATA_LOSS if
// FFmpeg cannot; UNIMPLEMENTED in a build without FFmpeg.
absl::StatusOr<std::vector<Picture>> DecodePictures(absl::string_view file);

// The picture as a PNG file. UNIMPLEMENTED in a build without FFmpeg.
absl::StatusOr<std::string> EncodePng(const Picture& picture);

}  // namespace qvg

#endif  // CLIENT_PICTURE_H_
