#ifndef SERVER_MEDIA_FFMPEG_H_
#define SERVER_MEDIA_FFMPEG_H_

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>
}

#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace qvg {

// FFmpeg objects that free themselves.
struct FfmpegDeleter {
  void operator()(AVCodecContext* context) const;
  void operator()(AVFrame* frame) const;
  void operator()(AVPacket* packet) const;
  void operator()(SwsContext* context) const;
};
template <typename T>
using FfmpegPtr = std::unique_ptr<T, FfmpegDeleter>;

// INTERNAL with FFmpeg's own words for a negative `code`, OK otherwise.
absl::Status FfmpegStatus(absl::string_view what, int code);

// What readers of a format assume about its pixels.
struct YuvKind {
  AVPixelFormat pixel_format;
  AVColorSpace matrix;
  AVColorRange range;
};
inline constexpr YuvKind kVideoYuv = {AV_PIX_FMT_YUV420P, AVCOL_SPC_BT709,
                                      AVCOL_RANGE_MPEG};
inline constexpr YuvKind kJfifYuv = {AV_PIX_FMT_YUV444P, AVCOL_SPC_BT470BG,
                                     AVCOL_RANGE_JPEG};

// Converts RGB24 frames to planar YUV. Same input, same output on every CPU.
// Thread-compatible.
class YuvConverter {
 public:
  static absl::StatusOr<YuvConverter> Create(int width, int height,
                                             const YuvKind& kind);

  // The frame at `rgb` ([height,width,3]). Valid until the next call; an
  // encoder that refers to it for longer keeps its own reference.
  absl::StatusOr<AVFrame*> Convert(const uint8_t* rgb);

 private:
  YuvConverter() = default;
  FfmpegPtr<SwsContext> scaler_;
  // The converter reads whole vectors, also behind the last pixel.
  FfmpegPtr<AVFrame> padded_;
  FfmpegPtr<AVFrame> frame_;
};

// Sends `frame` (null: no more) and passes on every packet that comes out.
absl::Status EncodeFrame(AVCodecContext* codec, const AVFrame* frame,
                         absl::FunctionRef<absl::Status(AVPacket*)> on_packet);

}  // namespace qvg

#endif  // SERVER_MEDIA_FFMPEG_H_
