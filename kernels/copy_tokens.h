#ifndef KERNELS_COPY_TOKENS_H_
#define KERNELS_COPY_TOKENS_H_

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/error.h"
#include "kernels/packed_tensor.h"

namespace qvg::kernels {

// Copies the vectors of an unpacked tensor (kF32 or kBf16) to rows
// out[T,H,D] of encoding `to` (kF32 or kBf16), rounding to nearest, ties to
// even. `out` must not overlap `from`.
void CopyTokens(const PackedTensor& from, Encoding to, void* out);

// Whether every value of an unpacked tensor is finite, and still is when it is
// rounded to BF16.
bool AllFinite(const PackedTensor& tensor);

// On the device.
Error CopyTokensCuda(const PackedTensor& from, Encoding to, void* out,
                     CudaStream stream);

// Sets *finite (device memory) to 0 unless AllFinite(tensor); leaves it alone
// otherwise, so that several tensors can share it.
Error AllFiniteCuda(const PackedTensor& tensor, int32_t* finite,
                    CudaStream stream);

}  // namespace qvg::kernels

#endif  // KERNELS_COPY_TOKENS_H_
