#ifndef TESTS_SERVER_MEDIA_DECODE_H_
#define TESTS_SERVER_MEDIA_DECODE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace qvg {

struct DecodedFrame {
  int width = 0;
  int height = 0;
  double seconds = 0;
  bool key_frame = false;
  std::vector<uint8_t> rgb;
};

// Every frame of a media file in memory, in order; empty if FFmpeg cannot
// read it or a frame is damaged.
std::vector<DecodedFrame> DecodeMedia(absl::string_view file);

// Types of the top-level boxes of an MP4 file, for instance "moof mdat"; "?" at
// the end if a size is wrong.
std::string TopLevelBoxes(absl::string_view file);

// A smooth picture with hard edges that moves with `frame`: [height,width,3].
std::vector<uint8_t> TestPicture(int width, int height, int frame);

double Psnr(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b);

}  // namespace qvg

#endif  // TESTS_SERVER_MEDIA_DECODE_H_
