#ifndef CACHE_KV_CACHE_H_
#define CACHE_KV_CACHE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cache/boundary_state.h"
#include "cache/cache_spec.h"
#include "cache/codec/codec.h"
#include "cache/kv_layout.h"
#include "cache/kv_span.h"
#include "cache/layer_groups.h"
#include "cache/pool/memory_pool.h"
#include "cache/prefix_key.h"
#include "cache/workspace.h"
#include "kernels/executor.h"
#include "kernels/packed_tensor.h"

namespace qvg {

// Bytes of a history, rounding included. "bf16" figures are what the same
// tokens would take; all others are as held.
struct HistoryBytes {
  int64_t packed = 0;
  int64_t packed_bf16 = 0;
  int64_t unpacked = 0;  // sink spans, and the rings of tail and windows
  int64_t unpacked_bf16 = 0;

  // BF16 bytes of the packed tokens over all bytes of their spans; 0 while
  // there is none.
  double packed_span_ratio() const {
    return packed == 0
               ? 0
               : static_cast<double>(packed_bf16) / static_cast<double>(packed);
  }
};

// One session's attention history. Of the layers without a window: unpacked
// sink chunks, then packed spans in order, then chunks in the tail; of the
// others: their windows. Tail and windows lie in the BoundaryState.
// Thread-compatible.
class KvCache {
 public:
  // `codec` is the codec of `spec`, which is resolved; `boundary` was made for
  // the same layout and spec. Span memory comes from `reservation`. All three
  // must outlive the cache.
  KvCache(const KvLayout& layout, const CacheSpec& spec, const Codec* codec,
          Reservation* reservation, BoundaryState* boundary);

  // Bytes to reserve for the spans of max_chunks chunks.
  static int64_t MaxSpanBytes(const KvLayout& layout, const CacheSpec& spec,
                              const Codec& codec, int64_t max_chunks);

  // Adds the chunk whose clean keys and values are layers[l] (unpacked,
  // tokens_per_chunk tokens, before any RoPE-like rotation of keys), under the
  // key of the world after it, and packs what leaves the tail.
  // `layers`, `workspace` and the reservation are of executor.memory(); on a
  // device the call waits once, for the check of the numbers, and the rest is
  // enqueued. INVALID_ARGUMENT names the layer and tensor of a wrong shape, a
  // NaN or an infinity; RESOURCE_EXHAUSTED when the reservation has no room.
  // INTERNAL if the three are not of the same memory. On error the history is
  // as it was, unless the device was lost.
  absl::Status Append(absl::Span<const kernels::KvSegment> layers,
                      const PrefixKey& key, const kernels::Executor& executor,
                      Workspace& workspace);

  // Appends to `segments` what the next chunk's attention in layer `layer`
  // reads, oldest first. Valid until the next Append.
  void AppendSegments(int layer,
                      std::vector<kernels::KvSegment>* segments) const;

  int64_t chunks() const { return chunks_; }
  HistoryBytes bytes() const;

  // Sink spans, then packed spans, oldest first. Shared so that sessions whose
  // histories begin alike can hold the same spans.
  const std::vector<std::shared_ptr<const KvSpan>>& spans() const {
    return spans_;
  }

 private:
  int64_t tail_size() const;
  bool CompletesSpan() const;
  SpanShape ShapeOf(int64_t chunks) const;
  absl::Status CheckPlaces(const kernels::Executor& executor,
                           const Workspace& workspace) const;
  absl::Status CheckChunk(absl::Span<const kernels::KvSegment> layers) const;
  absl::StatusOr<KvSpan> NewSpan(int64_t first_chunk, int64_t chunks,
                                 bool packed, const PrefixKey& key);
  absl::StatusOr<KvSpan> SinkSpan(absl::Span<const kernels::KvSegment> layers,
                                  const PrefixKey& key,
                                  const kernels::Executor& executor);
  absl::StatusOr<KvSpan> PackedSpan(absl::Span<const kernels::KvSegment> layers,
                                    const PrefixKey& key,
                                    const kernels::Executor& executor,
                                    Workspace& workspace);
  absl::StatusOr<std::vector<kernels::KvSegment>> SpanSource(
      absl::Span<const kernels::KvSegment> layers,
      const kernels::Executor& executor);
  absl::Status AppendGlobal(absl::Span<const kernels::KvSegment> layers,
                            const PrefixKey& key,
                            const kernels::Executor& executor,
                            Workspace& workspace);
  kernels::KvSegment View(const KvSpan& span, int index) const;

  KvLayout layout_;
  CacheSpec spec_;
  LayerGroups groups_;
  const Codec* codec_;
  Reservation* reservation_;
  BoundaryState* boundary_;
  std::vector<std::shared_ptr<const KvSpan>> spans_;
  int64_t chunks_ = 0;
};

}  // namespace qvg

#endif  // CACHE_KV_CACHE_H_
