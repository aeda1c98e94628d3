#include "client/picture.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace qvg {
namespace {

struct Deleter {
  void operator()(AVCodecContext* context) const {
    avcodec_free_context(&context);
  }
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVFormatContext* input) const {
    avformat_close_input(&input);
  }
  void operator()(AVIOContext* io) const {
    av_freep(&io->buffer);
    avio_context_free(&io);
  }
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};
template <typename T>
using Ptr = std::unique_ptr<T, Deleter>;

constexpr int kBufferBytes = 32 << 10;

// Reads from a string_view, which shrinks.
int Read(void* opaque, uint8_t* buffer, int size) {
  auto* rest = static_cast<absl::string_view*>(opaque);
  const size_t n = std::min<size_t>(size, rest->size());
  if (n == 0) return AVERROR_EOF;
  std::memcpy(buffer, rest->data(), n);
  rest->remove_prefix(n);
  return static_cast<int>(n);
}

absl::Status Check(absl::string_view what, int code) {
  if (code >= 0) return absl::OkStatus();
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof(text));
  return absl::DataLossError(absl::StrCat(what, ": ", text));
}

// With pixels, and what FFmpeg's vectors may touch behind them.
absl::StatusOr<Ptr<AVFrame>> NewRgbFrame(int width, int height) {
  Ptr<AVFrame> frame(av_frame_alloc());
  frame->format = AV_PIX_FMT_RGB24;
  frame->width = width;
  frame->height = height;
  absl::Status status =
      Check("allocating a picture", av_frame_get_buffer(frame.get(), 0));
  if (!status.ok()) return status;
  return frame;
}

absl::StatusOr<Picture> ToPicture(const AVFrame& frame) {
  auto padded = NewRgbFrame(frame.width, frame.height);
  if (!padded.ok()) return padded.status();
  Picture picture{frame.width, frame.height, {}};
  picture.rgb.resize(size_t{3} * frame.width * frame.height);
  Ptr<SwsContext> scaler(sws_getContext(
      frame.width, frame.height, static_cast<AVPixelFormat>(frame.format),
      frame.width, frame.height, AV_PIX_FMT_RGB24,
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr, nullptr,
      nullptr));
  if (scaler == nullptr) {
    return absl::DataLossError("a frame has a pixel format that is unknown");
  }
  const int* matrix = sws_getCoefficients(frame.colorspace);
  sws_setColorspaceDetails(scaler.get(), matrix,
                           frame.color_range == AVCOL_RANGE_JPEG, matrix, 1, 0,
                           1 << 16, 1 << 16);
  sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height,
            (*padded)->data, (*padded)->linesize);
  av_image_copy_plane(picture.rgb.data(), 3 * frame.width, (*padded)->data[0],
                      (*padded)->linesize[0], 3 * frame.width, frame.height);
  return picture;
}

// Opens the decoder of the first stream.
absl::StatusOr<Ptr<AVCodecContext>> OpenDecoder(AVFormatContext* input) {
  absl::Status status =
      Check("reading media", avformat_find_stream_info(input, nullptr));
  if (!status.ok()) return status;
  if (input->nb_streams == 0) return absl::DataLossError("media is empty");
  const AVCodecParameters* parameters = input->streams[0]->codecpar;
  const AVCodec* codec = avcodec_find_decoder(parameters->codec_id);
  if (codec == nullptr) return absl::DataLossError("media has no known codec");
  Ptr<AVCodecContext> decoder(avcodec_alloc_context3(codec));
  avcodec_parameters_to_context(decoder.get(), parameters);
  decoder->thread_count = 1;
  status =
      Check("opening a decoder", avcodec_open2(decoder.get(), codec, nullptr));
  if (!status.ok()) return status;
  return decoder;
}

// Sends `packet` (null: the end) and adds the frames that come out.
absl::Status DecodePacket(AVCodecContext* decoder, const AVPacket* packet,
                          std::vector<Picture>* pictures) {
  absl::Status status =
      Check("decoding media", avcodec_send_packet(decoder, packet));
  Ptr<AVFrame> frame(av_frame_alloc());
  while (status.ok() && avcodec_receive_frame(decoder, frame.get()) >= 0) {
    absl::StatusOr<Picture> picture = ToPicture(*frame);
    if (!picture.ok()) return picture.status();
    pictures->push_back(*std::move(picture));
  }
  return status;
}

}  // namespace

absl::StatusOr<std::vector<Picture>> DecodePictures(absl::string_view file) {
  av_log_set_level(AV_LOG_ERROR);
  Ptr<AVIOContext> io(
      avio_alloc_context(static_cast<uint8_t*>(av_malloc(kBufferBytes)),
                         kBufferBytes, 0, &file, &Read, nullptr, nullptr));
  AVFormatContext* raw_input = avformat_alloc_context();
  raw_input->pb = io.get();
  // Frees raw_input if it fails.
  absl::Status status =
      Check("reading media",
            avformat_open_input(&raw_input, nullptr, nullptr, nullptr));
  if (!status.ok()) return status;
  Ptr<AVFormatContext> input(raw_input);
  auto decoder = OpenDecoder(input.get());
  if (!decoder.ok()) return decoder.status();
  std::vector<Picture> pictures;
  Ptr<AVPacket> packet(av_packet_alloc());
  while (status.ok() && av_read_frame(input.get(), packet.get()) >= 0) {
    status = DecodePacket(decoder->get(), packet.get(), &pictures);
    av_packet_unref(packet.get());
  }
  if (status.ok()) status = DecodePacket(decoder->get(), nullptr, &pictures);
  if (!status.ok()) return status;
  return pictures;
}

absl::StatusOr<std::string> EncodePng(const Picture& picture) {
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
  if (codec == nullptr) {
    return absl::UnimplementedError("this FFmpeg has no PNG encoder");
  }
  auto frame = NewRgbFrame(picture.width, picture.height);
  if (!frame.ok()) return frame.status();
  av_image_copy_plane((*frame)->data[0], (*frame)->linesize[0],
                      picture.rgb.data(), 3 * picture.width, 3 * picture.width,
                      picture.height);
  Ptr<AVCodecContext> encoder(avcodec_alloc_context3(codec));
  encoder->width = picture.width;
  encoder->height = picture.height;
  encoder->pix_fmt = AV_PIX_FMT_RGB24;
  encoder->time_base = {1, 1};
  encoder->thread_count = 1;
  Ptr<AVPacket> packet(av_packet_alloc());
  absl::Status status = Check("opening the PNG encoder",
                              avcodec_open2(encoder.get(), codec, nullptr));
  if (status.ok()) {
    status = Check("encoding a PNG file",
                   avcodec_send_frame(encoder.get(), frame->get()));
  }
  if (status.ok()) avcodec_send_frame(encoder.get(), nullptr);
  if (status.ok()) {
    status = Check("encoding a PNG file",
                   avcodec_receive_packet(encoder.get(), packet.get()));
  }
  if (!status.ok()) return status;
  return std::string(reinterpret_cast<char*>(packet->data), packet->size);
}

}  // namespace qvg
