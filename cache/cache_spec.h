#ifndef CACHE_CACHE_SPEC_H_
#define CACHE_CACHE_SPEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace qvg {

enum class ElementType { kBf16, kF32 };

// How a session stores its history. 0 or -1 means "the codec's default" until
// CodecRegistry::Resolve has filled it in. Part of every prefix key.
struct CacheSpec {
  std::string codec;
  int bits = 0;
  int block = 0;
  int centroids = 0;
  int stages = 0;
  int iterations = 0;
  int span_chunks = 0;   // chunks that are packed together
  int tail_chunks = -1;  // r: newest chunks that stay unpacked
  int sink_chunks = -1;  // oldest chunks that are never packed
  ElementType unpacked = ElementType::kBf16;

  bool operator==(const CacheSpec&) const = default;
};

// Parses "CODEC[:FIELD=VALUE,...]", for instance "qvg:bits=4,tail_chunks=1"
// or "bf16:unpacked=f32". INVALID_ARGUMENT names an unknown field or a value
// that is no number; ranges are the registry's business.
absl::StatusOr<CacheSpec> ParseCacheSpec(absl::string_view text);

// The inverse of ParseCacheSpec; every set field, in a fixed order.
std::string ToString(const CacheSpec& spec);

}  // namespace qvg

#endif  // CACHE_CACHE_SPEC_H_
