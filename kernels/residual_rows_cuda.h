#ifndef KERNELS_RESIDUAL_ROWS_CUDA_H_
#define KERNELS_RESIDUAL_ROWS_CUDA_H_

#include <vector_types.h>

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/packed_tensor.h"

namespace qvg::kernels::internal {

// Threads of a block that decodes rows, an octet of channels each. A block
// takes `share` tokens of the head blockIdx.y.
inline constexpr int kRowThreads = 512;

struct RowRange {
  int64_t first;   // of the tensor
  int64_t tokens;  // rows of the output per head
  int64_t share;
};

// DecodeRowsCuda for kResidual without trits; arguments are checked.
void DecodeResidualRowsCuda(const PackedTensor& tensor, const RowRange& range,
                            const dim3& grid, uint16_t* out, CudaStream stream);

}  // namespace qvg::kernels::internal

#endif  // KERNELS_RESIDUAL_ROWS_CUDA_H_
