#ifndef KERNELS_PRODUCT_ROWS_CUDA_H_
#define KERNELS_PRODUCT_ROWS_CUDA_H_

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/error.h"
#include "kernels/packed_tensor.h"

namespace qvg::kernels::internal {

// DecodeRowsCuda for kProduct; arguments are checked.
Error DecodeProductRowsCuda(const PackedTensor& tensor, int64_t first,
                            int64_t tokens, uint16_t* out, CudaStream stream);

}  // namespace qvg::kernels::internal

#endif  // KERNELS_PRODUCT_ROWS_CUDA_H_
