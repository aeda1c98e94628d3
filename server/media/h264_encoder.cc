#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/media/encoders.h"
#include "server/media/ffmpeg.h"

extern "C" {
#include <libavutil/opt.h>
}

namespace qvg {
namespace {

constexpr int kMuxerBufferBytes = 16 << 10;

// A fragment starts where a chunk does and nowhere else.
constexpr char kMovFlags[] =
    "frag_custom+empty_moov+default_base_moof+skip_trailer";

// One thread and a fixed preset, so that bits do not depend on the machine's
// load; key frames only where a chunk asks for one.
absl::StatusOr<FfmpegPtr<AVCodecContext>> OpenCodec(const MediaSpec& spec) {
  const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
  if (codec == nullptr) {
    return absl::UnimplementedError("this FFmpeg has no libx264");
  }
  FfmpegPtr<AVCodecContext> context(avcodec_alloc_context3(codec));
  if (context == nullptr) return absl::ResourceExhaustedError("no memory");
  context->width = spec.width;
  context->height = spec.height;
  context->time_base = {spec.fps_denominator, spec.fps_numerator};
  context->framerate = {spec.fps_numerator, spec.fps_denominator};
  context->pix_fmt = kVideoYuv.pixel_format;
  context->colorspace = kVideoYuv.matrix;
  context->color_range = kVideoYuv.range;
  context->color_primaries = AVCOL_PRI_BT709;
  context->color_trc = AVCOL_TRC_BT709;
  context->thread_count = 1;
  context->max_b_frames = 0;
  context->gop_size = 1 << 30;
  context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP |
                    AV_CODEC_FLAG_BITEXACT;
  av_opt_set(context->priv_data, "preset", "veryfast", 0);
  av_opt_set(context->priv_data, "tune", "zerolatency", 0);
  av_opt_set(context->priv_data, "profile", "high", 0);
  av_opt_set(context->priv_data, "x264-params", "scenecut=0", 0);
  av_opt_set_int(context->priv_data, "forced-idr", 1, 0);
  av_opt_set_double(context->priv_data, "crf", spec.h264_crf, 0);
  absl::Status status = FfmpegStatus(
      "opening libx264", avcodec_open2(context.get(), codec, nullptr));
  if (!status.ok()) return status;
  return context;
}

// Writes packets as fragmented MP4 into memory.
class Mp4Muxer {
 public:
  Mp4Muxer() = default;
  Mp4Muxer(const Mp4Muxer&) = delete;
  Mp4Muxer& operator=(const Mp4Muxer&) = delete;

  ~Mp4Muxer() {
    if (context_ == nullptr) return;
    AVIOContext* io = context_->pb;
    avformat_free_context(context_);
    if (io != nullptr) av_freep(&io->buffer);
    avio_context_free(&io);
  }

  // Writes the init segment.
  absl::Status Open(const AVCodecContext& codec) {
    avformat_alloc_output_context2(&context_, nullptr, "mp4", nullptr);
    if (context_ == nullptr) {
      return absl::UnimplementedError("this FFmpeg has no MP4 muxer");
    }
    auto* buffer = static_cast<uint8_t*>(av_malloc(kMuxerBufferBytes));
    context_->pb = avio_alloc_context(buffer, kMuxerBufferBytes, 1, this,
                                      nullptr, &Write, nullptr);
    AVStream* stream = avformat_new_stream(context_, nullptr);
    if (context_->pb == nullptr || stream == nullptr) {
      return absl::ResourceExhaustedError("no memory for a muxer");
    }
    context_->flags |= AVFMT_FLAG_BITEXACT;
    stream->time_base = packet_time_base_ = codec.time_base;
    stream->avg_frame_rate = codec.framerate;
    avcodec_parameters_from_context(stream->codecpar, &codec);
    AVDictionary* options = nullptr;
    av_dict_set(&options, "movflags", kMovFlags, 0);
    const int code = avformat_write_header(context_, &options);
    av_dict_free(&options);
    return FfmpegStatus("writing the MP4 header", code);
  }

  absl::Status Add(AVPacket* packet) {
    packet->stream_index = 0;
    packet->duration = 1;
    av_packet_rescale_ts(packet, packet_time_base_,
                         context_->streams[0]->time_base);
    return FfmpegStatus("writing a frame", av_write_frame(context_, packet));
  }

  absl::Status FinishFragment() {
    return FfmpegStatus("writing a fragment",
                        av_write_frame(context_, nullptr));
  }

  // What was written since the last call.
  std::string Take() {
    avio_flush(context_->pb);
    return std::exchange(bytes_, {});
  }

 private:
  // The callback's buffer became const in libavformat 61.
  using Bytes = std::conditional_t<(LIBAVFORMAT_VERSION_MAJOR >= 61),
                                   const uint8_t*, uint8_t*>;

  static int Write(void* self, Bytes data, int size) {
    static_cast<Mp4Muxer*>(self)->bytes_.append(
        reinterpret_cast<const char*>(data), size);
    return size;
  }

  AVFormatContext* context_ = nullptr;
  AVRational packet_time_base_ = {0, 1};
  std::string bytes_;
};

class H264Encoder : public MediaEncoder {
 public:
  H264Encoder(const MediaSpec& spec, FfmpegPtr<AVCodecContext> codec,
              YuvConverter converter)
      : spec_(spec),
        codec_(std::move(codec)),
        converter_(std::move(converter)) {}

  absl::Status Open() {
    absl::Status status = muxer_.Open(*codec_);
    if (status.ok()) init_segment_ = muxer_.Take();
    return status;
  }

  absl::string_view InitSegment() const override { return init_segment_; }

  absl::StatusOr<std::vector<MediaUnit>> Encode(
      absl::Span<const uint8_t> rgb) override {
    absl::Status status = CheckFrames(spec_, rgb);
    for (size_t at = 0; status.ok() && at < rgb.size();
         at += FrameBytes(spec_)) {
      status = EncodeOne(rgb.data() + at, at == 0);
    }
    if (status.ok()) status = muxer_.FinishFragment();
    if (!status.ok()) return status;
    std::vector<MediaUnit> units(1);
    units[0].data = muxer_.Take();
    return units;
  }

 private:
  absl::Status EncodeOne(const uint8_t* rgb, bool key_frame) {
    absl::StatusOr<AVFrame*> frame = converter_.Convert(rgb);
    if (!frame.ok()) return frame.status();
    (*frame)->pts = next_frame_++;
    (*frame)->pict_type = key_frame ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    return EncodeFrame(codec_.get(), *frame,
                       [&](AVPacket* packet) { return muxer_.Add(packet); });
  }

  const MediaSpec spec_;
  FfmpegPtr<AVCodecContext> codec_;
  YuvConverter converter_;
  Mp4Muxer muxer_;
  std::string init_segment_;
  int64_t next_frame_ = 0;
};

}  // namespace

bool HaveFfmpeg() { return true; }

absl::StatusOr<std::unique_ptr<MediaEncoder>> NewH264Encoder(
    const MediaSpec& spec) {
  // x264 reports every session's options otherwise.
  av_log_set_level(AV_LOG_ERROR);
  auto codec = OpenCodec(spec);
  if (!codec.ok()) return codec.status();
  auto converter = YuvConverter::Create(spec.width, spec.height, kVideoYuv);
  if (!converter.ok()) return converter.status();
  auto encoder = std::make_unique<H264Encoder>(spec, *std::move(codec),
                                               *std::move(converter));
  if (absl::Status status = encoder->Open(); !status.ok()) return status;
  return encoder;
}

}  // namespace qvg
