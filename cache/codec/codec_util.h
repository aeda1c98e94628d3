#ifndef CACHE_CODEC_CODEC_UTIL_H_
#define CACHE_CODEC_CODEC_UTIL_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "cache/codec/codec.h"
#include "cache/kernel_status.h"
#include "cache/segments.h"
#include "kernels/packed_tensor.h"

namespace qvg {

// Whether `layers` are the unpacked tokens of a span of `shape`.
// INVALID_ARGUMENT names layer and tensor.
absl::Status CheckSource(const SpanShape& shape,
                         absl::Span<const kernels::KvSegment> layers);

// Whether the caller has brought the memory that Encode asks for. `out` and
// `workspace` must be 64-byte aligned.
absl::Status CheckMemory(absl::Span<uint8_t> out, int64_t out_bytes,
                         absl::Span<uint8_t> workspace, size_t workspace_bytes);

}  // namespace qvg

#endif  // CACHE_CODEC_CODEC_UTIL_H_
