#ifndef SERVER_MEDIA_MEDIA_ENCODER_H_
#define SERVER_MEDIA_MEDIA_ENCODER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace qvg {

enum class MediaFormat { kH264Fmp4, kJpeg, kRawRgb24 };

struct MediaSpec {
  MediaFormat format = MediaFormat::kH264Fmp4;
  int width = 0;
  int height = 0;
  int fps_numerator = 0;
  int fps_denominator = 1;
  // H.264: constant rate factor, 0 to 51, smaller is better.
  int h264_crf = 18;
  // JPEG: 1 to 100, larger is better.
  int jpeg_quality = 92;
};

// One thing that a decoder takes whole: a fragment, or the file of a frame.
struct MediaUnit {
  // Formats of one file per frame: the frame, counted within the chunk.
  int frame_index = 0;
  std::string data;
};

// Turns the frames of one session into media. Same spec, same frames: same
// bytes. Thread-compatible; one object per session, any thread.
class MediaEncoder {
 public:
  virtual ~MediaEncoder() = default;

  // Decoder setup of the whole stream, sent before any chunk; empty for
  // formats without one. Valid as long as the encoder.
  virtual absl::string_view InitSegment() const = 0;

  // Media of the next chunk: `rgb` is [frames,height,width,3], one frame or
  // more. What comes out needs InitSegment() but no other chunk: one fragment
  // with one closed GOP (H.264), one file per frame (JPEG) or `rgb` itself.
  // INVALID_ARGUMENT if `rgb` is no whole number of frames. After any other
  // error the encoder is of no more use.
  virtual absl::StatusOr<std::vector<MediaUnit>> Encode(
      absl::Span<const uint8_t> rgb) = 0;
};

// INVALID_ARGUMENT names the field of a spec that cannot be encoded;
// UNIMPLEMENTED if this build has no encoder for the format.
absl::StatusOr<std::unique_ptr<MediaEncoder>> NewMediaEncoder(
    const MediaSpec& spec);

// Whether this build encodes `format`.
bool MediaFormatSupported(MediaFormat format);

}  // namespace qvg

#endif  // SERVER_MEDIA_MEDIA_ENCODER_H_
