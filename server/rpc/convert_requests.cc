#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/rpc/convert.h"

namespace qvg {
namespace {

int Saturate(uint64_t value) {
  return static_cast<int>(
      std::min<uint64_t>(value, std::numeric_limits<int>::max()));
}

// Copies an optional number; 0 would mean "unset" from there on, so it is
// refused where nothing else allows it.
absl::Status CopyNumber(const char* name, bool has, uint32_t value,
                        uint32_t lowest, int* out) {
  if (!has) return absl::OkStatus();
  if (value < lowest || value > 1 << 20) {
    return absl::InvalidArgumentError(absl::StrCat("cache_spec.", name, ": ",
                                                   value, " is not between ",
                                                   lowest, " and ", 1 << 20));
  }
  *out = static_cast<int>(value);
  return absl::OkStatus();
}

absl::Status CopyElementType(const v1::CacheSpec& proto, CacheSpec* spec) {
  if (!proto.has_unpacked()) return absl::OkStatus();
  switch (proto.unpacked()) {
    case v1::ELEMENT_TYPE_BF16:
      spec->unpacked = ElementType::kBf16;
      return absl::OkStatus();
    case v1::ELEMENT_TYPE_F32:
      spec->unpacked = ElementType::kF32;
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "cache_spec.unpacked: ", static_cast<int>(proto.unpacked()),
          " is neither ELEMENT_TYPE_BF16 (1) nor ELEMENT_TYPE_F32 (2)"));
  }
}

absl::StatusOr<CacheSpec> FromProto(const v1::CacheSpec& p) {
  CacheSpec spec;
  spec.codec = p.codec();
  const absl::Status statuses[] = {
      CopyNumber("bits", p.has_bits(), p.bits(), 1, &spec.bits),
      CopyNumber("block", p.has_block(), p.block(), 1, &spec.block),
      CopyNumber("centroids", p.has_centroids(), p.centroids(), 1,
                 &spec.centroids),
      CopyNumber("stages", p.has_stages(), p.stages(), 1, &spec.stages),
      CopyNumber("iterations", p.has_iterations(), p.iterations(), 1,
                 &spec.iterations),
      CopyNumber("span_chunks", p.has_span_chunks(), p.span_chunks(), 1,
                 &spec.span_chunks),
      CopyNumber("tail_chunks", p.has_tail_chunks(), p.tail_chunks(), 0,
                 &spec.tail_chunks),
      CopyNumber("sink_chunks", p.has_sink_chunks(), p.sink_chunks(), 0,
                 &spec.sink_chunks),
      CopyElementType(p, &spec)};
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return spec;
}

absl::StatusOr<MediaFormat> FromProto(v1::OutputFormat format) {
  switch (format) {
    case v1::OUTPUT_FORMAT_UNSPECIFIED:
    case v1::OUTPUT_FORMAT_H264_FMP4:
      return MediaFormat::kH264Fmp4;
    case v1::OUTPUT_FORMAT_JPEG:
      return MediaFormat::kJpeg;
    case v1::OUTPUT_FORMAT_RAW_RGB24:
      return MediaFormat::kRawRgb24;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("start.output_format: ", static_cast<int>(format),
                       " is not between 0 and 3"));
  }
}

}  // namespace

absl::StatusOr<StartRequest> FromProto(const v1::Start& start) {
  absl::StatusOr<CacheSpec> cache_spec = FromProto(start.cache_spec());
  if (!cache_spec.ok()) return cache_spec.status();
  const absl::StatusOr<MediaFormat> format = FromProto(start.output_format());
  if (!format.ok()) return format.status();
  StartRequest request;
  request.model = start.model();
  request.spec.prompt = start.prompt();
  request.spec.seed = start.seed();
  request.spec.cache_spec = *std::move(cache_spec);
  request.spec.steps = Saturate(start.steps());
  request.spec.max_chunks = Saturate(start.max_chunks());
  request.format = *format;
  request.first_credit = start.first_credit();
  return request;
}

ActionRequest FromProto(const v1::Action& action) {
  ActionRequest request;
  request.event_id = action.event_id();
  for (const v1::Control& control : action.controls()) {
    request.controls.push_back(
        {control.name(),
         control.frames(),
         {control.values().begin(), control.values().end()}});
  }
  if (action.has_start_frame()) request.start_frame = action.start_frame();
  request.replace = action.replace();
  return request;
}

PromptRequest FromProto(const v1::Prompt& prompt) {
  return {prompt.event_id(), prompt.text()};
}

}  // namespace qvg
