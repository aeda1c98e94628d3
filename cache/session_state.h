#ifndef CACHE_SESSION_STATE_H_
#define CACHE_SESSION_STATE_H_

#include <cstdint>
#include <memory>

#include "cache/codec/codec.h"
#include "cache/kv_cache.h"
#include "cache/pool/memory_pool.h"
#include "cache/prefix_key.h"

namespace qvg {

// What a model keeps of a session between two chunks; it reads and advances
// it. Pending inputs and media are the session's, in a reservation of their
// own. Thread-compatible.
struct SessionState {
  Reservation reservation;
  std::unique_ptr<Codec> codec;
  std::unique_ptr<KvCache> cache;
  // What the model keeps beside its keys and values (pose, counters, decoder
  // caches), in a form only the model knows.
  PoolBuffer model_bytes;
  PrefixKey prefix;  // names the state
  uint64_t seed = 0;
  int steps = 0;
  int64_t chunks = 0;  // generated so far
};

}  // namespace qvg

#endif  // CACHE_SESSION_STATE_H_
