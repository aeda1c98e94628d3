#ifndef CACHE_SESSION_STATE_H_
#define CACHE_SESSION_STATE_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "cache/boundary_state.h"
#include "cache/cache_spec.h"
#include "cache/codec/codec.h"
#include "cache/kv_cache.h"
#include "cache/kv_layout.h"
#include "cache/pool/memory_pool.h"
#include "cache/prefix_key.h"

namespace qvg {

// What a model keeps of a session between two chunks; it reads and advances
// it. Pending inputs and media are the session's, in a reservation of their
// own. Thread-compatible; stays where it was made.
struct SessionState {
  // The state before the first chunk of a world named `root`, with room for
  // `model_bytes` bytes of the model, zeroed. `spec` is resolved, `codec` its
  // codec. Keys and values are in `reservation`, on a device if it is; the
  // model's bytes then need `host`, a reservation of the host's pool, and else
  // are in `reservation` too. RESOURCE_EXHAUSTED when there is no room.
  static absl::StatusOr<std::unique_ptr<SessionState>> Create(
      const KvLayout& layout, const CacheSpec& spec,
      std::unique_ptr<Codec> codec, int64_t model_bytes, const PrefixKey& root,
      Reservation reservation, Reservation host = {});

  // Upper bound of what such a state takes from the pool by the end of
  // max_chunks chunks, rounding included. With keys and values on a device:
  // what it takes there for model_bytes = 0, and of the host
  // MemoryPool::ReservationFor(model_bytes).
  static int64_t MaxBytes(const KvLayout& layout, const CacheSpec& spec,
                          const Codec& codec, int64_t model_bytes,
                          int64_t max_chunks);

  int64_t chunks() const { return cache->chunks(); }

  // BF16 bytes of the keys and values held, over everything that the session
  // holds: pages of spans, rings, model bytes, inputs and media.
  double session_ratio() const;

  Reservation reservation;  // of the keys and values
  Reservation host;         // of the model's bytes, if that is on a device
  std::unique_ptr<Codec> codec;
  BoundaryState boundary;
  std::unique_ptr<KvCache> cache;  // over the three above
  PrefixKey prefix;                // names the state
  uint64_t seed = 0;
  int steps = 0;
};

}  // namespace qvg

#endif  // CACHE_SESSION_STATE_H_
