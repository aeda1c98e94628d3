#include "server/media/media_encoder.h"

#include "absl/strings/str_cat.h"
#include "server/media/encoders.h"

namespace qvg {
namespace {

// x264 takes at most 16384; a picture of that size is no use here.
constexpr int kMaxSide = 8192;

absl::Status CheckRange(absl::string_view field, int64_t value, int64_t low,
                        int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, "; it must be ", low, " to ", high));
}

absl::Status Check(const MediaSpec& spec) {
  for (const absl::Status& status :
       {CheckRange("width", spec.width, 1, kMaxSide),
        CheckRange("height", spec.height, 1, kMaxSide),
        CheckRange("fps_numerator", spec.fps_numerator, 1, 1000000),
        CheckRange("fps_denominator", spec.fps_denominator, 1, 1000000),
        CheckRange("h264_crf", spec.h264_crf, 0, 51),
        CheckRange("jpeg_quality", spec.jpeg_quality, 1, 100)}) {
    if (!status.ok()) return status;
  }
  if (spec.format == MediaFormat::kH264Fmp4 &&
      (spec.width % 2 != 0 || spec.height % 2 != 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("width and height are ", spec.width, " x ", spec.height,
                     "; H.264 4:2:0 needs even ones"));
  }
  return absl::OkStatus();
}

}  // namespace

size_t FrameBytes(const MediaSpec& spec) {
  return size_t{3} * spec.width * spec.height;
}

absl::Status CheckFrames(const MediaSpec& spec, absl::Span<const uint8_t> rgb) {
  if (!rgb.empty() && rgb.size() % FrameBytes(spec) == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("rgb has ", rgb.size(), " bytes; frames of ", spec.width,
                   " x ", spec.height, " have ", FrameBytes(spec), " each"));
}

bool MediaFormatSupported(MediaFormat format) {
  return format == MediaFormat::kRawRgb24 || HaveFfmpeg();
}

absl::StatusOr<std::unique_ptr<MediaEncoder>> NewMediaEncoder(
    const MediaSpec& spec) {
  if (absl::Status status = Check(spec); !status.ok()) return status;
  switch (spec.format) {
    case MediaFormat::kH264Fmp4:
      return NewH264Encoder(spec);
    case MediaFormat::kJpeg:
      return NewJpegEncoder(spec);
    case MediaFormat::kRawRgb24:
      return NewRawEncoder(spec);
  }
  return absl::InvalidArgumentError("format is none that is known");
}

}  // namespace qvg
