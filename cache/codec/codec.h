#ifndef CACHE_CODEC_CODEC_H_
#define CACHE_CODEC_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "kernels/executor.h"
#include "kernels/packed_tensor.h"

namespace qvg {

// The shape of one span: the same tokens of several layers.
struct SpanShape {
  int layers = 0;
  int heads = 0;
  int head_dim = 0;
  int64_t tokens = 0;
};

// Turns a span of K and V (all layers and heads at once) into bytes and gives
// attention a view of them. Immutable and thread-safe. The byte layout of
// every codec is in codec/format.md.
class Codec {
 public:
  virtual ~Codec() = default;

  // Exact size of an encoded span, scales, ids and private codebooks
  // included, model-owned tables not.
  virtual int64_t SpanBytes(const SpanShape& shape) const = 0;

  // Workspace that Encode needs.
  virtual size_t WorkspaceBytes(const SpanShape& shape,
                                const kernels::Executor& executor) const = 0;

  // Encodes layers[i] (unpacked, kF32 or kBf16, one per layer of `shape`; keys
  // before any RoPE-like rotation) into `out` of exactly SpanBytes(shape).
  // Every number is finite (CheckFinite); `out` says nothing if one is not.
  // `seed` drives every random choice; same input and seed, same bytes, for
  // any number of threads. All memory is where `executor` runs; on a device
  // the work is enqueued. INVALID_ARGUMENT names layer and tensor of a wrong
  // shape.
  virtual absl::Status Encode(const SpanShape& shape,
                              absl::Span<const kernels::KvSegment> layers,
                              uint64_t seed, absl::Span<uint8_t> out,
                              absl::Span<uint8_t> workspace,
                              const kernels::Executor& executor) const = 0;

  // What attention reads of layer `layer`. Valid as long as `bytes` and the
  // codec are, and where they are.
  virtual kernels::KvSegment View(const SpanShape& shape, int layer,
                                  absl::Span<const uint8_t> bytes) const = 0;
};

}  // namespace qvg

#endif  // CACHE_CODEC_CODEC_H_
