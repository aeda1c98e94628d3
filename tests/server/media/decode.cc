#include "tests/server/media/decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/media/ffmpeg.h"

namespace qvg {
namespace {

struct Source {
  absl::string_view rest;
};

int Read(void* opaque, uint8_t* buffer, int size) {
  auto* source = static_cast<Source*>(opaque);
  const size_t n = std::min<size_t>(size, source->rest.size());
  if (n == 0) return AVERROR_EOF;
  std::memcpy(buffer, source->rest.data(), n);
  source->rest.remove_prefix(n);
  return static_cast<int>(n);
}

DecodedFrame ToRgb(const AVFrame& frame, AVRational time_base) {
  DecodedFrame out;
  out.width = frame.width;
  out.height = frame.height;
  out.seconds = frame.best_effort_timestamp * av_q2d(time_base);
  out.key_frame = frame.pict_type == AV_PICTURE_TYPE_I;
  // The scaler writes whole vectors.
  constexpr size_t kPadding = 64;
  out.rgb.resize(size_t{3} * frame.width * frame.height + kPadding);
  FfmpegPtr<SwsContext> scaler(sws_getContext(
      frame.width, frame.height, static_cast<AVPixelFormat>(frame.format),
      frame.width, frame.height, AV_PIX_FMT_RGB24,
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, nullptr, nullptr,
      nullptr));
  const int* matrix = sws_getCoefficients(frame.colorspace);
  sws_setColorspaceDetails(scaler.get(), matrix,
                           frame.color_range == AVCOL_RANGE_JPEG, matrix, 1, 0,
                           1 << 16, 1 << 16);
  uint8_t* planes[] = {out.rgb.data()};
  const int strides[] = {3 * frame.width};
  sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height, planes,
            strides);
  out.rgb.resize(out.rgb.size() - kPadding);
  return out;
}

// Packets in, frames out; false if a packet is damaged.
bool DecodeAll(AVFormatContext* input, std::vector<DecodedFrame>* frames) {
  const AVStream* stream = input->streams[0];
  const AVCodec* decoder = avcodec_find_decoder(stream->codecpar->codec_id);
  FfmpegPtr<AVCodecContext> codec(avcodec_alloc_context3(decoder));
  avcodec_parameters_to_context(codec.get(), stream->codecpar);
  codec->err_recognition = AV_EF_EXPLODE;
  if (avcodec_open2(codec.get(), decoder, nullptr) < 0) return false;
  FfmpegPtr<AVPacket> packet(av_packet_alloc());
  FfmpegPtr<AVFrame> frame(av_frame_alloc());
  for (bool more = true; more;) {
    more = av_read_frame(input, packet.get()) >= 0;
    if (avcodec_send_packet(codec.get(), more ? packet.get() : nullptr) < 0) {
      return false;
    }
    while (avcodec_receive_frame(codec.get(), frame.get()) >= 0) {
      frames->push_back(ToRgb(*frame, stream->time_base));
    }
    av_packet_unref(packet.get());
  }
  return true;
}

}  // namespace

std::vector<DecodedFrame> DecodeMedia(absl::string_view file) {
  constexpr int kBufferBytes = 4096;
  av_log_set_level(AV_LOG_QUIET);
  Source source{file};
  AVFormatContext* input = avformat_alloc_context();
  AVIOContext* io =
      avio_alloc_context(static_cast<uint8_t*>(av_malloc(kBufferBytes)),
                         kBufferBytes, 0, &source, &Read, nullptr, nullptr);
  input->pb = io;
  std::vector<DecodedFrame> frames;
  if (avformat_open_input(&input, nullptr, nullptr, nullptr) >= 0 &&
      (avformat_find_stream_info(input, nullptr) < 0 ||
       input->nb_streams != 1 || !DecodeAll(input, &frames))) {
    frames.clear();
  }
  avformat_close_input(&input);
  av_freep(&io->buffer);
  avio_context_free(&io);
  return frames;
}

std::string TopLevelBoxes(absl::string_view file) {
  std::string boxes;
  while (file.size() >= 8) {
    uint64_t size = 0;
    for (int i = 0; i < 4; ++i) {
      size = size << 8 | static_cast<uint8_t>(file[i]);
    }
    absl::StrAppend(&boxes, boxes.empty() ? "" : " ", file.substr(4, 4));
    if (size < 8 || size > file.size()) return boxes + "?";
    file.remove_prefix(size);
  }
  return boxes;
}

std::vector<uint8_t> TestPicture(int width, int height, int frame) {
  std::vector<uint8_t> rgb(size_t{3} * width * height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = &rgb[3 * (size_t{1} * y * width + x)];
      const bool wall = (x + 3 * frame) / 32 % 2 == 0 && y > height / 4;
      pixel[0] = wall ? 200 : 60 + 120 * y / height;
      pixel[1] = wall ? 60 + 100 * x / width : 90;
      pixel[2] = wall ? 40 : 180 - 100 * y / height;
    }
  }
  return rgb;
}

double Psnr(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  if (a.size() != b.size() || a.empty()) return 0;
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = double{1} * a[i] - b[i];
    sum += d * d;
  }
  return 10 * std::log10(255.0 * 255.0 * a.size() / std::max(sum, 1e-9));
}

}  // namespace qvg
