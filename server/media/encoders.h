#ifndef SERVER_MEDIA_ENCODERS_H_
#define SERVER_MEDIA_ENCODERS_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/media/media_encoder.h"

namespace qvg {

// One maker per format; `spec` is checked already.
absl::StatusOr<std::unique_ptr<MediaEncoder>> NewRawEncoder(
    const MediaSpec& spec);
absl::StatusOr<std::unique_ptr<MediaEncoder>> NewH264Encoder(
    const MediaSpec& spec);
absl::StatusOr<std::unique_ptr<MediaEncoder>> NewJpegEncoder(
    const MediaSpec& spec);

// Whether this build has the FFmpeg libraries.
bool HaveFfmpeg();

// Bytes of one RGB24 frame.
size_t FrameBytes(const MediaSpec& spec);

// INVALID_ARGUMENT unless `rgb` is one frame or more, whole ones.
absl::Status CheckFrames(const MediaSpec& spec, absl::Span<const uint8_t> rgb);

}  // namespace qvg

#endif  // SERVER_MEDIA_ENCODERS_H_
