#ifndef KERNELS_ROWS_H_
#define KERNELS_ROWS_H_

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/error.h"
#include "kernels/packed_tensor.h"
#include "kernels/parallel_for.h"

namespace qvg::kernels {

// Token vectors on their way into a codec: BF16 [H,T,D], head by head.
struct Points {
  uint16_t* values = nullptr;
  int heads = 0;
  int64_t tokens = 0;
  int dim = 0;  // a multiple of 16, at most 256
};

// Whether `points` has values and a shape in range.
Error Check(const Points& points);

// Decodes tokens [first, first + tokens) of all heads to BF16, out[H,tokens,D].
// Unpacked FP32 is rounded to nearest even.
Error DecodeRows(const PackedTensor& tensor, int64_t first, int64_t tokens,
                 uint16_t* out, ParallelFor& parallel_for);

// Replaces points[h,t] by points[h,t] - centroids[h,ids[h,t]], rounded to BF16
// and saturated at its largest number. centroids is BF16 [H,K,D], ids [H,T].
Error SubtractCentroids(const Points& points, const uint16_t* centroids,
                        int centroids_per_head, const uint8_t* ids,
                        ParallelFor& parallel_for);

// The plain versions, equal bit for bit.
Error DecodeRowsReference(const PackedTensor& tensor, int64_t first,
                          int64_t tokens, uint16_t* out,
                          ParallelFor& parallel_for);
Error SubtractCentroidsReference(const Points& points,
                                 const uint16_t* centroids,
                                 int centroids_per_head, const uint8_t* ids,
                                 ParallelFor& parallel_for);

// On the device: what is BF16 must be aligned to 16 bytes, unpacked rows of a
// tensor excepted. Equal bit for bit but for the rotation of kProduct.
Error DecodeRowsCuda(const PackedTensor& tensor, int64_t first, int64_t tokens,
                     uint16_t* out, CudaStream stream);
Error SubtractCentroidsCuda(const Points& points, const uint16_t* centroids,
                            int centroids_per_head, const uint8_t* ids,
                            CudaStream stream);

}  // namespace qvg::kernels

#endif  // KERNELS_ROWS_H_
