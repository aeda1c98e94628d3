#ifndef KERNELS_COPY_TOKENS_H_
#define KERNELS_COPY_TOKENS_H_

#include "kernels/packed_tensor.h"

namespace qvg::kernels {

// Copies the vectors of an unpacked tensor (kF32 or kBf16) to rows
// out[T,H,D] of encoding `to` (kF32 or kBf16), rounding to nearest, ties to
// even. `out` must not overlap `from`.
void CopyTokens(const PackedTensor& from, Encoding to, void* out);

// Whether every value of an unpacked tensor is finite, and still is when it is
// rounded to BF16.
bool AllFinite(const PackedTensor& tensor);

}  // namespace qvg::kernels

#endif  // KERNELS_COPY_TOKENS_H_
