#ifndef CACHE_SHA256_H_
#define CACHE_SHA256_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace qvg {

using Sha256Digest = std::array<uint8_t, 32>;

// SHA-256 (FIPS 180-4) of `bytes`.
Sha256Digest Sha256(absl::Span<const uint8_t> bytes);
Sha256Digest Sha256(absl::string_view bytes);

// 64 lower-case hex digits.
std::string Hex(const Sha256Digest& digest);

}  // namespace qvg

#endif  // CACHE_SHA256_H_
