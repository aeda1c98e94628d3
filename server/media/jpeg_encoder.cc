#include <algorithm>
#include <utility>

#include "server/media/encoders.h"
#include "server/media/ffmpeg.h"

namespace qvg {
namespace {

// FFmpeg's quantiser scale, 1 (best) to 31, of a quality of 1 to 100.
int QuantizerScale(int quality) {
  return std::clamp(1 + (100 - quality) * 30 / 99, 1, 31);
}

absl::StatusOr<FfmpegPtr<AVCodecContext>> OpenCodec(const MediaSpec& spec) {
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  if (codec == nullptr) {
    return absl::UnimplementedError("this FFmpeg has no MJPEG encoder");
  }
  FfmpegPtr<AVCodecContext> context(avcodec_alloc_context3(codec));
  if (context == nullptr) return absl::ResourceExhaustedError("no memory");
  context->width = spec.width;
  context->height = spec.height;
  context->time_base = {spec.fps_denominator, spec.fps_numerator};
  context->pix_fmt = kJfifYuv.pixel_format;
  context->colorspace = kJfifYuv.matrix;
  context->color_range = kJfifYuv.range;
  context->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  const int scale = QuantizerScale(spec.jpeg_quality);
  context->global_quality = scale * FF_QP2LAMBDA;
  context->qmin = context->qmax = scale;
  absl::Status status =
      FfmpegStatus("opening the MJPEG encoder",
                   avcodec_open2(context.get(), codec, nullptr));
  if (!status.ok()) return status;
  return context;
}

class JpegEncoder : public MediaEncoder {
 public:
  JpegEncoder(const MediaSpec& spec, FfmpegPtr<AVCodecContext> codec,
              YuvConverter converter)
      : spec_(spec),
        codec_(std::move(codec)),
        converter_(std::move(converter)) {}

  absl::string_view InitSegment() const override { return ""; }

  absl::StatusOr<std::vector<MediaUnit>> Encode(
      absl::Span<const uint8_t> rgb) override {
    absl::Status status = CheckFrames(spec_, rgb);
    std::vector<MediaUnit> units;
    for (size_t at = 0; status.ok() && at < rgb.size();
         at += FrameBytes(spec_)) {
      units.push_back({static_cast<int>(units.size()), ""});
      status = EncodeOne(rgb.data() + at, &units.back().data);
    }
    if (!status.ok()) return status;
    return units;
  }

 private:
  absl::Status EncodeOne(const uint8_t* rgb, std::string* file) {
    absl::StatusOr<AVFrame*> frame = converter_.Convert(rgb);
    if (!frame.ok()) return frame.status();
    (*frame)->quality = codec_->global_quality;
    (*frame)->pts = next_frame_++;
    return EncodeFrame(codec_.get(), *frame, [&](AVPacket* packet) {
      file->append(reinterpret_cast<char*>(packet->data), packet->size);
      return absl::OkStatus();
    });
  }

  const MediaSpec spec_;
  FfmpegPtr<AVCodecContext> codec_;
  YuvConverter converter_;
  int64_t next_frame_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<MediaEncoder>> NewJpegEncoder(
    const MediaSpec& spec) {
  auto codec = OpenCodec(spec);
  if (!codec.ok()) return codec.status();
  auto converter = YuvConverter::Create(spec.width, spec.height, kJfifYuv);
  if (!converter.ok()) return converter.status();
  return std::make_unique<JpegEncoder>(spec, *std::move(codec),
                                       *std::move(converter));
}

}  // namespace qvg
