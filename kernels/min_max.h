#ifndef KERNELS_MIN_MAX_H_
#define KERNELS_MIN_MAX_H_

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/error.h"
#include "kernels/packed_tensor.h"
#include "kernels/parallel_for.h"
#include "kernels/rows.h"

namespace qvg::kernels {

// Token vectors in, the arrays of a PackedTensor of kMinMax out.
struct MinMaxArgs {
  Points points;                    // not changed
  CodecDescriptor codec;            // kMinMax, head_dim that of the points
  uint8_t* codes = nullptr;         // [T',H,D*bits/8]
  uint16_t* half_scales = nullptr;  // [T,H,D/G], or [T'/G,H,D]
  uint16_t* half_zeros = nullptr;   // as half_scales
  uint16_t* rows = nullptr;  // along tokens: BF16 [T-T',H,D], if not empty
};

// The group quantizer of KIVI (arXiv 2402.02750): zero = FP16 of min, scale =
// FP16 of (max - min) / (2^bits - 1), both to nearest even and at most 65504 in
// magnitude; code = (x - zero) / scale in FP32, to nearest even, within 0 and
// 2^bits - 1, and 0 if the scale is. With `hadamard` that of QuaRot (arXiv
// 2404.00456): x is the token times the matrix in FP64, rounded to FP32.
Error EncodeMinMax(const MinMaxArgs& args, ParallelFor& parallel_for);

// On the device, equal but for the sign of a zero that is 0. Points must be
// aligned to 16 bytes, codes to 4.
Error EncodeMinMaxCuda(const MinMaxArgs& args, CudaStream stream);

namespace internal {
// What both refuse.
Error CheckMinMax(const MinMaxArgs& args);
}  // namespace internal

}  // namespace qvg::kernels

#endif  // KERNELS_MIN_MAX_H_
