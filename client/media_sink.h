#ifndef CLIENT_MEDIA_SINK_H_
#define CLIENT_MEDIA_SINK_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/session.h"

namespace qvg {

// Keeps the media of one session. Thread-compatible.
class MediaSink {
 public:
  // Closes what is open; errors are lost, so call Close first.
  virtual ~MediaSink() = default;

  // Adds a chunk. The file is whole after each call, whatever comes later.
  virtual absl::Status Write(const std::string& init_segment,
                             const Chunk& chunk) = 0;

  virtual absl::Status Close() = 0;
};

// Opens `path`: a file for H.264 (MP4) and raw frames, "-" for standard
// output, a folder of frame_000000.jpg ... for JPEG. An empty path keeps
// nothing. INVALID_ARGUMENT if it cannot be written.
absl::StatusOr<std::unique_ptr<MediaSink>> OpenMediaSink(
    v1::OutputFormat format, const std::string& path);

}  // namespace qvg

#endif  // CLIENT_MEDIA_SINK_H_
