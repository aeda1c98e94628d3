#include <cmath>

#include "cache/codec/registry.h"
#include "cache/segments.h"
#include "kernels/decode_tile.h"
#include "kernels/thread_pool.h"
#include "tests/golden/groups.h"
#include "tests/kernels/aligned_buffer.h"

namespace qvg::golden {
namespace {

kernels::PackedTensor RowsOf(const PointSet& points) {
  kernels::PackedTensor rows;
  rows.codec.encoding = kernels::Encoding::kBf16;
  rows.codec.head_dim = points.dim;
  rows.heads = points.heads;
  rows.tokens = points.tokens;
  rows.values = points.values.data();
  rows.token_stride = points.dim;
  rows.head_stride = points.tokens * points.dim;
  return rows;
}

struct Encoder {
  std::unique_ptr<Codec> codec;
  SpanShape shape;
};

Encoder MakeEncoder(const PointSet& points, const std::string& text) {
  KvLayout layout;
  layout.heads = points.heads;
  layout.head_dim = points.dim;
  layout.tokens_per_chunk = static_cast<int>(points.tokens);
  layout.window_chunks = {0};
  const absl::StatusOr<CacheSpec> spec =
      ResolveCacheSpec(*ParseCacheSpec(text), layout, nullptr);
  if (!spec.ok()) throw GoldenError(std::string(spec.status().message()));
  absl::StatusOr<std::unique_ptr<Codec>> codec =
      MakeCodec(*spec, layout, nullptr);
  if (!codec.ok()) throw GoldenError(std::string(codec.status().message()));
  return {*std::move(codec), {1, points.heads, points.dim, points.tokens}};
}

absl::Status Encode(const Encoder& encoder, const PointSet& points,
                    kernels::AlignedBuffer* span) {
  kernels::SerialFor serial;
  kernels::AlignedBuffer workspace(
      encoder.codec->WorkspaceBytes(encoder.shape, serial));
  const kernels::KvSegment layer = {RowsOf(points), RowsOf(points)};
  Workspace scratch;
  const absl::Status finite = CheckFinite({&layer, 1}, serial, scratch);
  if (!finite.ok()) return finite;
  return encoder.codec->Encode(
      encoder.shape, {&layer, 1}, 1,
      {static_cast<uint8_t*>(span->data()), span->size()},
      {static_cast<uint8_t*>(workspace.data()), workspace.size()}, serial);
}

bool DecodesToNumbers(const kernels::PackedTensor& tensor) {
  std::vector<float> rows(tensor.tokens * tensor.codec.head_dim);
  for (int head = 0; head < tensor.heads; ++head) {
    kernels::DecodeTile(tensor, head, 0, tensor.tokens, rows.data());
    for (const float value : rows) {
      if (!std::isfinite(value)) return false;
    }
  }
  return true;
}

}  // namespace

// Every codec without tables takes what it must, refuses what it must, and
// never decodes to anything but numbers.
void CheckInputs(const GoldenCase& golden, Checks* checks) {
  const PointSet points = golden.Points("x");
  const bool accept = golden.json().at("expect").get<std::string>() == "accept";
  for (const char* text :
       {"bf16", "qvg:centroids=16", "qvg:bits=4,stages=4",
        "qvg-minmax:block=16", "qvg-search", "qvg-four:stages=2",
        "qvg-search-base3:block=32", "rtn", "rtn:bits=4", "kivi",
        "kivi:bits=4,block=64", "quarot"}) {
    const Encoder encoder = MakeEncoder(points, text);
    kernels::AlignedBuffer span(encoder.codec->SpanBytes(encoder.shape));
    const absl::Status status = Encode(encoder, points, &span);
    const std::string what = std::string("expect, codec ") + text;
    if (!accept) {
      checks->Expect(status.code() == absl::StatusCode::kInvalidArgument,
                     what + ": accepted");
      continue;
    }
    const absl::Span<const uint8_t> bytes(
        static_cast<const uint8_t*>(span.data()), span.size());
    checks->Expect(
        status.ok() &&
            DecodesToNumbers(encoder.codec->View(encoder.shape, 0, bytes).keys),
        what + ": " + std::string(status.message()));
  }
}

}  // namespace qvg::golden
