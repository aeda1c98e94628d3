#include "kernels/copy_tokens.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "kernels/numeric.h"

namespace qvg::kernels {
namespace {

// The largest magnitude, as bits, that BF16 holds after rounding; NaN and
// infinity are above it.
constexpr uint32_t kLargestF32 = 0x7f7f7fffu;
constexpr uint32_t kLargestBf16 = 0x7f7fu;

void Copy(const float* from, int64_t count, float* out) {
  std::memcpy(out, from, static_cast<size_t>(count) * sizeof(float));
}

void Copy(const uint16_t* from, int64_t count, uint16_t* out) {
  std::memcpy(out, from, static_cast<size_t>(count) * sizeof(uint16_t));
}

void Copy(const float* from, int64_t count, uint16_t* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = FloatToBFloat16(from[i]);
}

void Copy(const uint16_t* from, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = BFloat16ToFloat(from[i]);
}

bool Finite(const float* values, int64_t count) {
  uint32_t above = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t magnitude = std::bit_cast<uint32_t>(values[i]) << 1 >> 1;
    above |= magnitude > kLargestF32 ? 1u : 0u;
  }
  return above == 0;
}

bool Finite(const uint16_t* values, int64_t count) {
  uint32_t above = 0;
  for (int64_t i = 0; i < count; ++i) {
    above |= (values[i] & 0x7fffu) > kLargestBf16 ? 1u : 0u;
  }
  return above == 0;
}

// Calls body(first value, values, offset in [T,H,D]) for every stretch of
// vectors that lie one after the other, until it returns false.
template <typename T, typename Body>
bool ForEachStretch(const PackedTensor& tensor, const Body& body) {
  const T* values = static_cast<const T*>(tensor.values);
  const int64_t dim = tensor.codec.head_dim;
  const int64_t row = tensor.heads * dim;
  if (tensor.head_stride == dim && tensor.token_stride == row) {
    return body(values, tensor.tokens * row, int64_t{0});
  }
  for (int64_t t = 0; t < tensor.tokens; ++t) {
    for (int64_t h = 0; h < tensor.heads; ++h) {
      const T* vector =
          values + t * tensor.token_stride + h * tensor.head_stride;
      if (!body(vector, dim, t * row + h * dim)) return false;
    }
  }
  return true;
}

template <typename From, typename To>
void CopyAs(const PackedTensor& from, To* out) {
  ForEachStretch<From>(from,
                       [out](const From* values, int64_t count, int64_t at) {
                         Copy(values, count, out + at);
                         return true;
                       });
}

template <typename To>
void CopyTo(const PackedTensor& from, To* out) {
  if (from.codec.encoding == Encoding::kF32) {
    CopyAs<float>(from, out);
  } else {
    CopyAs<uint16_t>(from, out);
  }
}

template <typename T>
bool AllFiniteAs(const PackedTensor& tensor) {
  return ForEachStretch<T>(tensor, [](const T* values, int64_t count, int64_t) {
    return Finite(values, count);
  });
}

}  // namespace

void CopyTokens(const PackedTensor& from, Encoding to, void* out) {
  if (to == Encoding::kF32) {
    CopyTo(from, static_cast<float*>(out));
  } else {
    CopyTo(from, static_cast<uint16_t*>(out));
  }
}

bool AllFinite(const PackedTensor& tensor) {
  return tensor.codec.encoding == Encoding::kF32
             ? AllFiniteAs<float>(tensor)
             : AllFiniteAs<uint16_t>(tensor);
}

}  // namespace qvg::kernels
