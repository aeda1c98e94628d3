#include "cache/kv_cache.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/kernel_status.h"
#include "cache/segments.h"
#include "cache/unpacked_block.h"
#include "kernels/dispatch.h"

namespace qvg {
namespace {

using kernels::KvSegment;
using kernels::PackedTensor;

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

absl::Status KvCache::CheckPlaces(const kernels::Executor& executor,
                                  const Workspace& workspace) const {
  const kernels::MemoryKind kind = executor.memory().kind;
  if (reservation_->memory() == kind && workspace.memory() == kind) {
    return absl::OkStatus();
  }
  return absl::InternalError(
      "executor, workspace, reservation: not of the same memory");
}

absl::Status KvCache::CheckChunk(absl::Span<const KvSegment> layers) const {
  if (layers.size() != layout_.window_chunks.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "layers: ", layers.size(), " given, the model has ", layout_.layers()));
  }
  for (size_t i = 0; i < 2 * layers.size(); ++i) {
    absl::Status status = CheckShape(TensorOf(layers[i / 2], i % 2), layout_,
                                     TensorName(i / 2, i % 2));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status KvCache::Append(absl::Span<const KvSegment> layers,
                             const PrefixKey& key,
                             const kernels::Executor& executor,
                             Workspace& workspace) {
  absl::Status status = CheckPlaces(executor, workspace);
  if (status.ok()) status = CheckChunk(layers);
  if (status.ok()) status = CheckFinite(layers, executor, workspace);
  if (status.ok() && !groups_.global.layers.empty()) {
    status = AppendGlobal(layers, key, executor, workspace);
  }
  for (UnpackedRing& window : boundary_->windows) {
    if (status.ok()) status = window.Write(chunks_, layers, executor);
  }
  if (status.ok()) ++chunks_;
  return status;
}

absl::Status KvCache::AppendGlobal(absl::Span<const KvSegment> layers,
                                   const PrefixKey& key,
                                   const kernels::Executor& executor,
                                   Workspace& workspace) {
  const bool sink = chunks_ < spec_.sink_chunks;
  const bool packs = !sink && CompletesSpan();
  if (sink || packs) {
    absl::StatusOr<KvSpan> span =
        sink ? SinkSpan(layers, key, executor)
             : PackedSpan(layers, key, executor, workspace);
    if (!span.ok()) return span.status();
    spans_.push_back(std::make_shared<const KvSpan>(*std::move(span)));
  }
  // Nothing fails from here on but a device, and then for good.
  std::vector<PrefixKey>& keys = boundary_->tail_keys;
  if (packs) {
    keys.erase(keys.begin(), keys.begin() + std::min<int64_t>(spec_.span_chunks,
                                                              keys.size()));
  }
  if (sink || (packs && spec_.tail_chunks == 0)) return absl::OkStatus();
  keys.push_back(key);
  return boundary_->tail.Write(chunks_ - spec_.sink_chunks, layers, executor);
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
                                         const kernels::Executor& executor) {
  absl::StatusOr<KvSpan> span = NewSpan(chunks_, 1, /*packed=*/false, key);
  if (!span.ok()) return span;
  const UnpackedBlock block = {span->shape, spec_.unpacked};
  std::vector<kernels::TokenCopy> copies;
  for (int i = 0; i < 2 * span->shape.layers; ++i) {
    copies.push_back(
        block.CopyOf(TensorOf(layers[groups_.global.layers[i / 2]], i % 2),
                     i / 2, i % 2, 0, span->buffer.range().data()));
  }
  const absl::Status status = ToStatus(kernels::CopyTokens(
      copies.data(), static_cast<int>(copies.size()), executor));
  if (!status.ok()) return status;
  return span;
}

absl::StatusOr<KvSpan> KvCache::PackedSpan(absl::Span<const KvSegment> layers,
                                           const PrefixKey& key,
                                           const kernels::Executor& executor,
                                           Workspace& workspace) {
  // Named after its last chunk, which with r = 0 is the new one.
  const PrefixKey& name = spec_.tail_chunks == 0
                              ? key
                              : boundary_->tail_keys[spec_.span_chunks - 1];
  absl::StatusOr<KvSpan> span =
      NewSpan(chunks_ - tail_size(), spec_.span_chunks,
              /*packed=*/true, name);
  if (!span.ok()) return span;
  const auto source = SpanSource(layers, executor);
  if (!source.ok()) return source.status();
  const auto scratch =
      workspace.Get(codec_->WorkspaceBytes(span->shape, executor));
  if (!scratch.ok()) return scratch.status();
  const absl::Status status =
      codec_->Encode(span->shape, *source, name.Derive("kmeans", 0),
                     span->buffer.range(), *scratch, executor);
  if (!status.ok()) return status;
  return span;
}

// The chunks of the next span, one segment per layer: out of the tail, or the
// new chunk itself where a span is one chunk and nothing waits. Writes at most
// to a slot of the tail that is not in use.
absl::StatusOr<std::vector<KvSegment>> KvCache::SpanSource(
    absl::Span<const KvSegment> layers, const kernels::Executor& executor) {
  const bool direct = spec_.tail_chunks == 0 && spec_.span_chunks == 1;
  if (spec_.tail_chunks == 0 && !direct) {
    const absl::Status status =
        boundary_->tail.Write(chunks_ - spec_.sink_chunks, layers, executor);
    if (!status.ok()) return status;
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
  if (span.packed) return codec_->View(span.shape, index, span.buffer.range());
  return UnpackedBlock{span.shape, spec_.unpacked}.View(
      span.buffer.range().data(), index, 0, span.shape.tokens);
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
