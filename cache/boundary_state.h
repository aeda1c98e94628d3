#ifndef CACHE_BOUNDARY_STATE_H_
#define CACHE_BOUNDARY_STATE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/cache_spec.h"
#include "cache/kv_layout.h"
#include "cache/pool/memory_pool.h"
#include "cache/prefix_key.h"
#include "cache/unpacked_ring.h"

namespace qvg {

// What the spans of a session do not hold at a chunk boundary. Buffers of
// fixed size and plain values: a fork copies them and shares the spans.
// Move-only, thread-compatible.
struct BoundaryState {
  // Rings for `layout` under `spec`, which is resolved, out of `reservation`,
  // and `model_bytes` bytes for the model, zeroed, out of `host`; the two may
  // be one. RESOURCE_EXHAUSTED when there is no room.
  static absl::StatusOr<BoundaryState> Create(const KvLayout& layout,
                                              const CacheSpec& spec,
                                              int64_t model_bytes,
                                              Reservation& reservation,
                                              Reservation& host);

  // Bytes to reserve for Create where one reservation holds all. Of two, the
  // rings take MaxBytes(layout, spec, 0), the model
  // MemoryPool::ReservationFor(model_bytes).
  static int64_t MaxBytes(const KvLayout& layout, const CacheSpec& spec,
                          int64_t model_bytes);

  // Newest chunks of the layers with a window, in the order of
  // LayerGroups::windows; each ring has as many slots as the window.
  std::vector<UnpackedRing> windows;
  // Newest chunks of the other layers: the r that stay unpacked, and those
  // that wait for a whole span. The chunks of a span lie in consecutive slots.
  UnpackedRing tail;
  std::vector<PrefixKey> tail_keys;  // one per chunk in the tail, oldest first
  // What the model keeps beside keys and values (pose, counters, decoder
  // caches), in a form only the model knows. Of the host, wherever the keys and
  // values are: the model reads it to know what to run.
  PoolBuffer model_bytes;
};

}  // namespace qvg

#endif  // CACHE_BOUNDARY_STATE_H_
