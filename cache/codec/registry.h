#ifndef CACHE_CODEC_REGISTRY_H_
#define CACHE_CODEC_REGISTRY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cache/cache_spec.h"
#include "cache/codec/codec.h"
#include "cache/kv_layout.h"

namespace qvg {

// What a codec needs and takes. One entry of the registry.
struct CodecInfo {
  std::string name;
  std::string description;
  bool takes_bits = false;       // 2 or 4
  bool two_bits_only = false;    // of these, 2
  int block = 0;                 // the default; 0 if it takes none
  bool takes_centroids = false;  // centroids, stages, iterations
  bool needs_model_tables = false;
  bool needs_pre_rope_keys = false;
};

// Model-owned codebooks of one model (opq); see codec/opq_tables.h.
class OpqTables;

// Every codec that this program knows, in the order to list them.
const std::vector<CodecInfo>& Codecs();

// Fills the unset fields of `spec` with the codec's defaults for `layout` and
// checks all of them. INVALID_ARGUMENT names field, value and allowed values;
// NOT_FOUND an unknown codec, listing the known ones; FAILED_PRECONDITION a
// codec that needs tables when `tables` is null.
absl::StatusOr<CacheSpec> ResolveCacheSpec(const CacheSpec& spec,
                                           const KvLayout& layout,
                                           const OpqTables* tables);

// The codec of a resolved spec. `tables` must outlive it.
absl::StatusOr<std::unique_ptr<Codec>> MakeCodec(const CacheSpec& spec,
                                                 const KvLayout& layout,
                                                 const OpqTables* tables);

}  // namespace qvg

#endif  // CACHE_CODEC_REGISTRY_H_
