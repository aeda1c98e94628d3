#include "tests/golden/packed_span.h"

#include "cache/codec/registry.h"
#include "cache/segments.h"
#include "kernels/parallel_for.h"

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

std::unique_ptr<Codec> Make(const PointSet& points, const std::string& text) {
  KvLayout layout;
  layout.heads = points.heads;
  layout.head_dim = points.dim;
  layout.tokens_per_chunk = static_cast<int>(points.tokens);
  layout.window_chunks = {0};
  const absl::StatusOr<CacheSpec> parsed = ParseCacheSpec(text);
  if (!parsed.ok()) throw GoldenError(std::string(parsed.status().message()));
  const absl::StatusOr<CacheSpec> spec =
      ResolveCacheSpec(*parsed, layout, nullptr);
  if (!spec.ok()) throw GoldenError(std::string(spec.status().message()));
  absl::StatusOr<std::unique_ptr<Codec>> codec =
      MakeCodec(*spec, layout, nullptr);
  if (!codec.ok()) throw GoldenError(std::string(codec.status().message()));
  return *std::move(codec);
}

absl::Span<uint8_t> BytesOf(kernels::AlignedBuffer& buffer) {
  return {static_cast<uint8_t*>(buffer.data()), buffer.size()};
}

}  // namespace

PackedSpan::PackedSpan(const PointSet& points, const std::string& spec)
    : codec_(Make(points, spec)),
      shape_{1, points.heads, points.dim, points.tokens},
      span_(
          std::make_unique<kernels::AlignedBuffer>(codec_->SpanBytes(shape_))),
      status_(Encode(points)) {}

absl::Status PackedSpan::Encode(const PointSet& points) {
  kernels::SerialFor serial;
  kernels::AlignedBuffer memory(codec_->WorkspaceBytes(shape_, serial));
  const kernels::KvSegment layer = {RowsOf(points), RowsOf(points)};
  Workspace scratch;
  const absl::Status finite = CheckFinite({&layer, 1}, serial, scratch);
  if (!finite.ok()) return finite;
  return codec_->Encode(shape_, {&layer, 1}, 1, BytesOf(*span_),
                        BytesOf(memory), serial);
}

kernels::KvSegment PackedSpan::View() const {
  return codec_->View(shape_, 0, BytesOf(*span_));
}

}  // namespace qvg::golden
