#ifndef CACHE_CODEC_CODEC_UTIL_H_
#define CACHE_CODEC_CODEC_UTIL_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "cache/codec/codec.h"
#include "kernels/error.h"
#include "kernels/packed_tensor.h"
#include "kernels/parallel_for.h"

namespace qvg {

// Keys (0) or values (1).
inline const kernels::PackedTensor& TensorOf(const kernels::KvSegment& segment,
                                             int tensor) {
  return tensor == 0 ? segment.keys : segment.values;
}

// INTERNAL, with the kernel's message: arguments of kernels are ours.
absl::Status ToStatus(const kernels::Error& error);

// Whether `layers` are the unpacked tokens of a span of `shape`, and finite.
// INVALID_ARGUMENT names layer and tensor.
absl::Status CheckSource(const SpanShape& shape,
                         absl::Span<const kernels::KvSegment> layers,
                         kernels::ParallelFor& parallel_for);

// Whether the caller has brought the memory that Encode asks for. `out` and
// `workspace` must be 64-byte aligned.
absl::Status CheckMemory(absl::Span<uint8_t> out, int64_t out_bytes,
                         absl::Span<uint8_t> workspace, size_t workspace_bytes);

}  // namespace qvg

#endif  // CACHE_CODEC_CODEC_UTIL_H_
