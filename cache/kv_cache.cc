#include "cache/kv_cache.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/unpacked_block.h"
#include "kernels/copy_tokens.h"

namespace qvg {
namespace {

using kernels::KvSegment;
using kernels::PackedTensor;
using kernels::ParallelFor;

std::string TensorName(int64_t layer, int64_t tensor) {
  return absl::StrCat("layers[", layer, "].", tensor == 0 ? "keys" : "values");
}

const PackedTensor& TensorOf(const KvSegment& segment, int64_t tensor) {
  return tensor == 0 ? segment.keys : segment.values;
}

bool IsUnpacked(const PackedTensor& tensor) {
  return tensor.codec.encoding == kernels::Encoding::kF32 ||
         tensor.codec.encoding == kernels::Encoding::kBf16;
}

absl::Status CheckShape(const PackedTensor& tensor, const KvLayout& layout,
                        const std::string& name) {
  if (IsUnpacked(tensor) && tensor.values != nullptr &&
      tensor.heads == layout.heads &&
      tensor.codec.head_dim == layout.head_dim &&
      tensor.tokens == layout.tokens_per_chunk) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      name, ": ", tensor.tokens, " tokens of ", tensor.heads, " heads of ",
      tensor.codec.head_dim, IsUnpacked(tensor) ? ", unpacked" : ", packed",
      tensor.values != nullptr ? "" : ", null", "; must be ",
      layout.tokens_per_chunk, " tokens of ", layout.heads, " heads of ",
      layout.head_dim, ", unpacked"));
}

int64_t SinkChunks(const CacheSpec& spec, int64_t chunks) {
  return std::min<int64_t>(spec.sink_chunks, chunks);
}

SpanShape GlobalShape(const KvLayout& layout, const LayerGroups& groups,
                      int64_t chunks) {
  SpanShape shape;
  shape.layers = static_cast<int>(groups.global.layers.size());
  shape.heads = layout.heads;
  shape.head_dim = layout.head_dim;
  shape.tokens = chunks * layout.tokens_per_chunk;
  return shape;
}

}  // namespace

KvCache::KvCache(const KvLayout& layout, const CacheSpec& spec,
                 const Codec* codec, Reservation* reservation,
                 BoundaryState* boundary)
    : layout_(layout),
      spec_(spec),
      groups_(layout),
      codec_(codec),
      reservation_(reservation),
      boundary_(boundary) {}

int64_t KvCache::MaxSpanBytes(const KvLayout& layout, const CacheSpec& spec,
                              const Codec& codec, int64_t max_chunks) {
  const LayerGroups groups(layout);
  if (groups.global.layers.empty()) return 0;
  const UnpackedBlock sink = {GlobalShape(layout, groups, 1), spec.unpacked};
  const int64_t sinks = SinkChunks(spec, max_chunks);
  const int64_t packed =
      std::max<int64_t>(0, max_chunks - sinks - spec.tail_chunks) /
      spec.span_chunks;
  return sinks * MemoryPool::ReservationFor(sink.bytes()) +
         packed * MemoryPool::ReservationFor(codec.SpanBytes(
                      GlobalShape(layout, groups, spec.span_chunks)));
}

int64_t KvCache::tail_size() const {
  return static_cast<int64_t>(boundary_->tail_keys.size());
}

SpanShape KvCache::ShapeOf(int64_t chunks) const {
  return GlobalShape(layout_, groups_, chunks);
}

absl::Status KvCache::CheckChunk(absl::Span<const KvSegment> layers,
                                 ParallelFor& parallel_for) const {
  if (layers.size() != layout_.window_chunks.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "layers: ", layers.size(), " given, the model has ", layout_.layers()));
  }
  std::vector<uint8_t> finite(2 * layers.size());
  for (size_t i = 0; i < finite.size(); ++i) {
    absl::Status status = CheckShape(TensorOf(layers[i / 2], i % 2), layout_,
                                     TensorName(i / 2, i % 2));
    if (!status.ok()) return status;
  }
  parallel_for(finite.size(), [&](int64_t i, int) {
    finite[i] = kernels::AllFinite(TensorOf(layers[i / 2], i % 2)) ? 1 : 0;
  });
  const auto bad = std::find(finite.begin(), finite.end(), uint8_t{0});
  if (bad == finite.end()) return absl::OkStatus();
  const int64_t i = bad - finite.begin();
  return absl::InvalidArgumentError(
      absl::StrCat(TensorName(i / 2, i % 2), ": NaN or infinity"));
}

absl::Status KvCache::Append(absl::Span<const KvSegment> layers,
                             const PrefixKey& key, ParallelFor& parallel_for,
                             Workspace& workspace) {
  absl::Status status = CheckChunk(layers, parallel_for);
  if (!status.ok()) return status;
  if (!groups_.global.layers.empty()) {
    status = AppendGlobal(layers, key, parallel_for, workspace);
    if (!status.ok()) return status;
  }
  for (UnpackedRing& window : boundary_->windows) {
    window.Write(chunks_, layers, parallel_for);
  }
  ++chunks_;
  return absl::OkStatus();
}

absl::Status KvCache::AppendGlobal(absl::Span<const KvSegment> layers,
                                   const PrefixKey& key,
                                   ParallelFor& parallel_for,
                                   Workspace& workspace) {
  const bool sink = chunks_ < spec_.sink_chunks;
  const bool packs = !sink && CompletesSpan();
  if (sink || packs) {
    absl::StatusOr<KvSpan> span =
        sink ? SinkSpan(layers, key, parallel_for)
             : PackedSpan(layers, key, parallel_for, workspace);
    if (!span.ok()) return span.status();
    spans_.push_back(std::make_shared<const KvSpan>(*std::move(span)));
  }
  // Nothing fails from here on.
  std::vector<PrefixKey>& keys = boundary_->tail_keys;
  if (packs) {
    keys.erase(keys.begin(), keys.begin() + std::min<int64_t>(spec_.span_chunks,
                                                              keys.size()));
  }
  if (sink || (packs && spec_.tail_chunks == 0)) return absl::OkStatus();
  boundary_->tail.Write(chunks_ - spec_.sink_chunks, layers, parallel_for);
  keys.push_back(key);
  return absl::OkStatus();
}

// Whether the next chunk pushes a whole span out of the tail.
bool KvCache::CompletesSpan() const {
  return tail_size() + 1 - spec_.tail_chunks >= spec_.span_chunks;
}

absl::StatusOr<KvSpan> KvCache::NewSpan(int64_t first_chunk, int64_t chunks,
                                        bool packed, const PrefixKey& key) {
  KvSpan span;
  span.key = key;
  span.first_chunk = first_chunk;
  span.chunks = chunks;
  span.shape = ShapeOf(chunks);
  span.packed = packed;
  const int64_t bytes = packed
                            ? codec_->SpanBytes(span.shape)
                            : UnpackedBlock{span.shape, spec_.unpacked}.bytes();
  absl::StatusOr<PoolBuffer> buffer =
      reservation_->Allocate(BytesKind::kSpan, bytes);
  if (!buffer.ok()) return buffer.status();
  span.buffer = *std::move(buffer);
  return span;
}

absl::StatusOr<KvSpan> KvCache::SinkSpan(absl::Span<const KvSegment> layers,
                                         const PrefixKey& key,
                                         ParallelFor& parallel_for) {
  absl::StatusOr<KvSpan> span = NewSpan(chunks_, 1, /*packed=*/false, key);
  if (!span.ok()) return span;
  const UnpackedBlock block = {span->shape, spec_.unpacked};
  uint8_t* data = span->buffer.bytes().data();
  parallel_for(2 * int64_t{span->shape.layers}, [&](int64_t i, int) {
    const int index = static_cast<int>(i / 2);
    block.Store(TensorOf(layers[groups_.global.layers[index]], i % 2), index,
                static_cast<int>(i % 2), 0, data);
  });
  return span;
}

absl::StatusOr<KvSpan> KvCache::PackedSpan(absl::Span<const KvSegment> layers,
                                           const PrefixKey& key,
                                           ParallelFor& parallel_for,
                                           Workspace& workspace) {
  // Named after its last chunk, which with r = 0 is the new one.
  const PrefixKey& name = spec_.tail_chunks == 0
                              ? key
                              : boundary_->tail_keys[spec_.span_chunks - 1];
  absl::StatusOr<KvSpan> span =
      NewSpan(chunks_ - tail_size(), spec_.span_chunks,
              /*packed=*/true, name);
  if (!span.ok()) return span;
  const std::vector<KvSegment> source = SpanSource(layers, parallel_for);
  const size_t scratch = codec_->WorkspaceBytes(span->shape, parallel_for);
  absl::Status status = codec_->Encode(
      span->shape, source, name.Derive("kmeans", 0), span->buffer.bytes(),
      workspace.Get(scratch), parallel_for);
  if (!status.ok()) return status;
  return span;
}

// The chunks of the next span, one segment per layer: out of the tail, or the
// new chunk itself where a span is one chunk and nothing waits. Writes at most
// to a slot of the tail that is not in use.
std::vector<KvSegment> KvCache::SpanSource(absl::Span<const KvSegment> layers,
                                           ParallelFor& parallel_for) {
  const bool direct = spec_.tail_chunks == 0 && spec_.span_chunks == 1;
  if (spec_.tail_chunks == 0 && !direct) {
    boundary_->tail.Write(chunks_ - spec_.sink_chunks, layers, parallel_for);
  }
  const int64_t first = chunks_ - tail_size() - spec_.sink_chunks;
  std::vector<KvSegment> source;
  for (size_t i = 0; i < groups_.global.layers.size(); ++i) {
    source.push_back(direct ? layers[groups_.global.layers[i]]
                            : boundary_->tail.View(static_cast<int>(i), first,
                                                   spec_.span_chunks));
  }
  return source;
}

KvSegment KvCache::View(const KvSpan& span, int index) const {
  if (span.packed) return codec_->View(span.shape, index, span.buffer.bytes());
  return UnpackedBlock{span.shape, spec_.unpacked}.View(
      span.buffer.bytes().data(), index, 0, span.shape.tokens);
}

void KvCache::AppendSegments(int layer,
                             std::vector<KvSegment>* segments) const {
  const LayerGroups::Place place = groups_.places[layer];
  if (place.window >= 0) {
    const UnpackedRing& window = boundary_->windows[place.window];
    const int64_t count = std::min<int64_t>(chunks_, window.slots());
    window.AppendSegments(place.index, chunks_ - count, count, segments);
    return;
  }
  for (const std::shared_ptr<const KvSpan>& span : spans_) {
    segments->push_back(View(*span, place.index));
  }
  const int64_t waiting = tail_size();
  boundary_->tail.AppendSegments(
      place.index, chunks_ - waiting - spec_.sink_chunks, waiting, segments);
}

HistoryBytes KvCache::bytes() const {
  HistoryBytes bytes;
  const auto bf16 = [this](const LayerGroup& group, int64_t chunks) {
    return Bf16Bytes(static_cast<int>(group.layers.size()), layout_.heads,
                     layout_.head_dim, chunks * layout_.tokens_per_chunk);
  };
  for (const std::shared_ptr<const KvSpan>& span : spans_) {
    const int64_t held = span->buffer.charged_bytes();
    const int64_t plain = bf16(groups_.global, span->chunks);
    (span->packed ? bytes.packed : bytes.unpacked) += held;
    (span->packed ? bytes.packed_bf16 : bytes.unpacked_bf16) += plain;
  }
  for (size_t i = 0; i < boundary_->windows.size(); ++i) {
    const UnpackedRing& window = boundary_->windows[i];
    bytes.unpacked += window.buffer().charged_bytes();
    bytes.unpacked_bf16 +=
        bf16(groups_.windows[i], std::min<int64_t>(chunks_, window.slots()));
  }
  bytes.unpacked += boundary_->tail.buffer().charged_bytes();
  bytes.unpacked_bf16 += bf16(groups_.global, tail_size());
  return bytes;
}

}  // namespace qvg
