#ifndef CACHE_KV_SPAN_H_
#define CACHE_KV_SPAN_H_

#include <cstdint>

#include "cache/codec/codec.h"
#include "cache/pool/memory_pool.h"
#include "cache/prefix_key.h"

namespace qvg {

// A run of chunks of the layers that see the whole history. Immutable once it
// is in a history, and named: a span of the same key and place holds the same
// bytes in every session, which is why sessions may share one.
struct KvSpan {
  PrefixKey key;  // of the world after the last of its chunks
  int64_t first_chunk = 0;
  int64_t chunks = 0;
  SpanShape shape;
  bool packed = true;  // by the codec; or unpacked, an UnpackedBlock
  PoolBuffer buffer;

  // Position of its first token in the history.
  int64_t first_token() const { return first_chunk * (shape.tokens / chunks); }
};

}  // namespace qvg

#endif  // CACHE_KV_SPAN_H_
