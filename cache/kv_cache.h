#ifndef CACHE_KV_CACHE_H_
#define CACHE_KV_CACHE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "cache/cache_spec.h"
#include "cache/codec/codec.h"
#include "cache/kv_layout.h"
#include "cache/pool/memory_pool.h"
#include "cache/prefix_key.h"
#include "kernels/packed_tensor.h"
#include "kernels/parallel_for.h"

namespace qvg {

// Bytes of a history. "bf16" figures are what the same tokens would take.
struct HistoryBytes {
  int64_t packed = 0;  // packed spans, as stored
  int64_t packed_bf16 = 0;
  int64_t unpacked = 0;  // sink, tail and windows, as stored
  int64_t unpacked_bf16 = 0;
};

// One session's attention history: packed spans in order, an unpacked sink
// and tail by option, and the windows of layers that have one.
// Thread-compatible.
class KvCache {
 public:
  // `codec` is the codec of `spec`, which is resolved; it must outlive the
  // cache. Memory comes from `reservation`, which must outlive it too.
  KvCache(const KvLayout& layout, const CacheSpec& spec, const Codec* codec,
          Reservation* reservation);

  // Upper bound of the pool bytes after max_chunks chunks.
  static int64_t MaxBytes(const KvLayout& layout, const CacheSpec& spec,
                          const Codec& codec, int64_t max_chunks);

  // Adds the chunk whose clean keys and values are layers[l] (unpacked,
  // tokens_per_chunk tokens), under the key that names it, and packs what
  // leaves the tail. On error the cache is as it was.
  absl::Status Append(absl::Span<const kernels::KvSegment> layers,
                      const PrefixKey& key, kernels::ParallelFor& parallel_for);

  // Appends to `segments` what the next chunk's attention in layer `layer`
  // reads, oldest first. Valid until the next Append.
  void AppendSegments(int layer,
                      std::vector<kernels::KvSegment>* segments) const;

  int64_t chunks() const { return chunks_; }
  HistoryBytes bytes() const;

 private:
  struct Span;
  // ... defined by the implementation
  int64_t chunks_ = 0;
};

}  // namespace qvg

#endif  // CACHE_KV_CACHE_H_
