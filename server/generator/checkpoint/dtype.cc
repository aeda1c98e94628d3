#include "server/generator/checkpoint/dtype.h"

namespace qvg {
namespace {

struct Row {
  Dtype dtype;
  int64_t bytes;
  const char* name;
};

// In the order of the enumeration.
constexpr Row kRows[] = {
    {Dtype::kBool, 1, "BOOL"},      {Dtype::kU8, 1, "U8"},
    {Dtype::kI8, 1, "I8"},          {Dtype::kF8E5M2, 1, "F8_E5M2"},
    {Dtype::kF8E4M3, 1, "F8_E4M3"}, {Dtype::kU16, 2, "U16"},
    {Dtype::kI16, 2, "I16"},        {Dtype::kF16, 2, "F16"},
    {Dtype::kBf16, 2, "BF16"},      {Dtype::kU32, 4, "U32"},
    {Dtype::kI32, 4, "I32"},        {Dtype::kF32, 4, "F32"},
    {Dtype::kU64, 8, "U64"},        {Dtype::kI64, 8, "I64"},
    {Dtype::kF64, 8, "F64"},
};

}  // namespace

int64_t ElementBytes(Dtype dtype) {
  return kRows[static_cast<int>(dtype)].bytes;
}

const char* ToString(Dtype dtype) {
  return kRows[static_cast<int>(dtype)].name;
}

std::optional<Dtype> ParseDtype(absl::string_view name) {
  for (const Row& row : kRows) {
    if (name == row.name) return row.dtype;
  }
  return std::nullopt;
}

}  // namespace qvg
