#ifndef KERNELS_PRODUCT_H_
#define KERNELS_PRODUCT_H_

#include <cstddef>
#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/error.h"
#include "kernels/packed_tensor.h"
#include "kernels/parallel_for.h"

namespace qvg::kernels {

// Encodes unpacked rows x as kProduct (after optimized product quantization,
// Ge et al., CVPR 2013). r = rotation^T (x - mean) is divided by its own root
// mean square; each part of it takes the nearest of its 256 entries, ties to
// the lowest index; the scale is then <r,c> / <c,c> for the chosen entries c,
// within [0, 448], rounded to E4M3.
struct ProductArgs {
  PackedTensor rows;  // kF32 or kBf16, finite
  int parts = 0;      // P, a divisor of the head dim
  ProductTables tables;
  uint8_t* codes = nullptr;   // [T,H,P]
  uint8_t* scales = nullptr;  // [T,H]
};

// Workspace that must be 64-byte aligned.
size_t ProductWorkspaceBytes(const ProductArgs& args,
                             const ParallelFor& parallel_for);

// Fastest version the processor has.
Error EncodeProduct(const ProductArgs& args, void* workspace,
                    size_t workspace_bytes, ParallelFor& parallel_for);

// The plain version. The two differ in the order of FP32 sums, so entries that
// are all but equally near may be chosen differently.
Error EncodeProductReference(const ProductArgs& args, void* workspace,
                             size_t workspace_bytes, ParallelFor& parallel_for);

// On the device, in FP32 too.
size_t ProductCudaWorkspaceBytes(const ProductArgs& args);
Error EncodeProductCuda(const ProductArgs& args, void* workspace,
                        size_t workspace_bytes, CudaStream stream);

}  // namespace qvg::kernels

#endif  // KERNELS_PRODUCT_H_
