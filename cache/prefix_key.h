#ifndef CACHE_PREFIX_KEY_H_
#define CACHE_PREFIX_KEY_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace qvg {

// Names everything a span depends on: a SHA-256 chained over model and
// weights, cache spec, seed, prompt and the inputs of every chunk so far.
// Equal keys mean equal bytes, whoever computed them. Every field is hashed
// with its length, integers as eight bytes, little-endian; the values are the
// same on every machine and are stored, so they never change.
class PrefixKey {
 public:
  PrefixKey() = default;  // names nothing

  // The key of a world before its first chunk.
  static PrefixKey Root(absl::string_view model_fingerprint,
                        absl::string_view cache_spec, uint64_t seed, int steps,
                        absl::string_view prompt);

  // The key after a chunk with these (canonically serialized) inputs.
  PrefixKey Next(absl::string_view inputs) const;

  // A seed for one random choice at this point, e.g. Derive("kmeans", 0).
  uint64_t Derive(absl::string_view purpose, uint64_t index) const;

  std::string Hex() const;
  bool operator==(const PrefixKey&) const = default;

 private:
  std::array<uint8_t, 32> digest_{};
};

}  // namespace qvg

#endif  // CACHE_PREFIX_KEY_H_
