#ifndef TESTS_KERNELS_CUDA_ON_DEVICE_H_
#define TESTS_KERNELS_CUDA_ON_DEVICE_H_

#include <cstddef>
#include <cstdint>

#include "kernels/encode.h"
#include "kernels/error.h"
#include "kernels/kmeans.h"
#include "kernels/min_max.h"
#include "kernels/parallel_for.h"
#include "kernels/product.h"
#include "kernels/quantize.h"
#include "kernels/rows.h"

// The device versions under the signatures of those for the CPU: everything is
// in host memory and is copied to the device and back. Outputs lie in poisoned
// memory, so that what is not written is seen.
namespace qvg::kernels {

Error DecodeRowsOnDevice(const PackedTensor& tensor, int64_t first,
                         int64_t tokens, uint16_t* out, ParallelFor&);
Error SubtractCentroidsOnDevice(const Points& points, const uint16_t* centroids,
                                int centroids_per_head, const uint8_t* ids,
                                ParallelFor&);
Error QuantizeOnDevice(const QuantizeArgs& args, ParallelFor&);
Error EncodeMinMaxOnDevice(const MinMaxArgs& args, ParallelFor&);
void CopyTokensOnDevice(const PackedTensor& from, Encoding to, void* out);
bool AllFiniteOnDevice(const PackedTensor& tensor);

// A workspace that is too small or off its alignment stands for one that is as
// much so on the device.
Error KmeansAssignOnDevice(const KmeansArgs& args, void* workspace,
                           size_t workspace_bytes, ParallelFor& parallel_for);
Error KmeansUpdateOnDevice(const KmeansArgs& args, void* workspace,
                           size_t workspace_bytes, ParallelFor& parallel_for);
Error KmeansOnDevice(const KmeansArgs& args, int max_rounds, void* workspace,
                     size_t workspace_bytes, ParallelFor& parallel_for,
                     int* rounds);
Error KmeansDrawOnDevice(const KmeansArgs& args, uint64_t seed);

Error EncodeProductOnDevice(const ProductArgs& args, void* workspace,
                            size_t workspace_bytes, ParallelFor& parallel_for);

// Arguments in host memory; rows are copied as they lie.
Error EncodeOnDevice(const EncodeArgs& args);

}  // namespace qvg::kernels

#endif  // TESTS_KERNELS_CUDA_ON_DEVICE_H_
