#include "server/media/ffmpeg.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace qvg {

void FfmpegDeleter::operator()(AVCodecContext* context) const {
  avcodec_free_context(&context);
}

void FfmpegDeleter::operator()(AVFrame* frame) const { av_frame_free(&frame); }

void FfmpegDeleter::operator()(AVPacket* packet) const {
  av_packet_free(&packet);
}

void FfmpegDeleter::operator()(SwsContext* context) const {
  sws_freeContext(context);
}

absl::Status FfmpegStatus(absl::string_view what, int code) {
  if (code >= 0) return absl::OkStatus();
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof(text));
  return absl::InternalError(absl::StrCat(what, ": ", text));
}

absl::StatusOr<YuvConverter> YuvConverter::Create(int width, int height,
                                                  const YuvKind& kind) {
  YuvConverter converter;
  converter.width_ = width;
  converter.scaler_.reset(sws_getContext(
      width, height, AV_PIX_FMT_RGB24, width, height, kind.pixel_format,
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INP,
      nullptr, nullptr, nullptr));
  converter.frame_.reset(av_frame_alloc());
  if (converter.scaler_ == nullptr || converter.frame_ == nullptr) {
    return absl::ResourceExhaustedError("no memory for a picture converter");
  }
  const int* matrix = sws_getCoefficients(kind.matrix);
  sws_setColorspaceDetails(converter.scaler_.get(), matrix, 1, matrix,
                           kind.range == AVCOL_RANGE_JPEG, 0, 1 << 16, 1 << 16);
  AVFrame* frame = converter.frame_.get();
  frame->format = kind.pixel_format;
  frame->width = width;
  frame->height = height;
  frame->colorspace = kind.matrix;
  frame->color_range = kind.range;
  if (int code = av_frame_get_buffer(frame, 0); code < 0) {
    return FfmpegStatus("allocating a picture", code);
  }
  return converter;
}

absl::StatusOr<AVFrame*> YuvConverter::Convert(const uint8_t* rgb) {
  AVFrame* frame = frame_.get();
  if (int code = av_frame_make_writable(frame); code < 0) {
    return FfmpegStatus("allocating a picture", code);
  }
  const uint8_t* planes[] = {rgb};
  const int strides[] = {3 * width_};
  const int rows = sws_scale(scaler_.get(), planes, strides, 0, frame->height,
                             frame->data, frame->linesize);
  if (rows < 0) return FfmpegStatus("converting a picture", rows);
  return frame;
}

absl::Status EncodeFrame(AVCodecContext* codec, const AVFrame* frame,
                         absl::FunctionRef<absl::Status(AVPacket*)> on_packet) {
  if (int code = avcodec_send_frame(codec, frame); code < 0) {
    return FfmpegStatus("encoding a frame", code);
  }
  FfmpegPtr<AVPacket> packet(av_packet_alloc());
  if (packet == nullptr) return absl::ResourceExhaustedError("no memory");
  for (;;) {
    const int code = avcodec_receive_packet(codec, packet.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) break;
    if (code < 0) return FfmpegStatus("encoding a frame", code);
    absl::Status status = on_packet(packet.get());
    av_packet_unref(packet.get());
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace qvg
