#ifndef SERVER_GENERATOR_CHECKPOINT_DTYPE_H_
#define SERVER_GENERATOR_CHECKPOINT_DTYPE_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace qvg {

// Element types of stored tensors, little-endian.
enum class Dtype {
  kBool,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kU16,
  kI16,
  kF16,
  kBf16,
  kU32,
  kI32,
  kF32,
  kU64,
  kI64,
  kF64,
};

int64_t ElementBytes(Dtype dtype);

// The name in safetensors files, e.g. "BF16".
const char* ToString(Dtype dtype);
std::optional<Dtype> ParseDtype(absl::string_view name);

}  // namespace qvg

#endif  // SERVER_GENERATOR_CHECKPOINT_DTYPE_H_
