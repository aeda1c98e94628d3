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

namespace {

absl::StatusOr<FfmpegPtr<AVFrame>> NewPicture(int width, int height,
                                              AVPixelFormat format) {
  FfmpegPtr<AVFrame> frame(av_frame_alloc());
  if (frame == nullptr) return absl::ResourceExhaustedError("no memory");
  frame->format = format;
  frame->width = width;
  frame->height = height;
  absl::Status status =
      FfmpegStatus("allocating a picture", av_frame_get_buffer(frame.get(), 0));
  if (!status.ok()) return status;
  return frame;
}

}  // namespace

absl::StatusOr<YuvConverter> YuvConverter::Create(int width, int height,
                                                  const YuvKind& kind) {
  YuvConverter converter;
  converter.scaler_.reset(sws_getContext(
      width, height, AV_PIX_FMT_RGB24, width, height, kind.pixel_format,
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INP,
      nullptr, nullptr, nullptr));
  if (converter.scaler_ == nullptr) {
    return absl::ResourceExhaustedError("no memory for a picture converter");
  }
  auto padded = NewPicture(width, height, AV_PIX_FMT_RGB24);
  if (!padded.ok()) return padded.status();
  converter.padded_ = *std::move(padded);
  auto frame = NewPicture(width, height, kind.pixel_format);
  if (!frame.ok()) return frame.status();
  converter.frame_ = *std::move(frame);
  converter.frame_->colorspace = kind.matrix;
  converter.frame_->color_range = kind.range;
  const int* matrix = sws_getCoefficients(kind.matrix);
  sws_setColorspaceDetails(converter.scaler_.get(), matrix, 1, matrix,
                           kind.range == AVCOL_RANGE_JPEG, 0, 1 << 16, 1 << 16);
  return converter;
}

absl::StatusOr<AVFrame*> YuvConverter::Convert(const uint8_t* rgb) {
  AVFrame* frame = frame_.get();
  if (int code = av_frame_make_writable(frame); code < 0) {
    return FfmpegStatus("allocating a picture", code);
  }
  const int row_bytes = 3 * frame->width;
  av_image_copy_plane(padded_->data[0], padded_->linesize[0], rgb, row_bytes,
                      row_bytes, frame->height);
  const int rows = sws_scale(scaler_.get(), padded_->data, padded_->linesize, 0,
                             frame->height, frame->data, frame->linesize);
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
