#ifndef TESTS_GOLDEN_OPERATIONS_H_
#define TESTS_GOLDEN_OPERATIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/error.h"
#include "kernels/kmeans.h"
#include "kernels/min_max.h"
#include "kernels/packed_tensor.h"
#include "kernels/parallel_for.h"
#include "kernels/quantize.h"
#include "kernels/rows.h"

namespace qvg::golden {

// The versions of the operations that golden data are compared with: those of
// the CPU, or those of a device in their dress.
struct Operations {
  kernels::Error (*assign)(const kernels::KmeansArgs& args, void* workspace,
                           size_t workspace_bytes,
                           kernels::ParallelFor& parallel_for);
  kernels::Error (*kmeans)(const kernels::KmeansArgs& args, int max_rounds,
                           void* workspace, size_t workspace_bytes,
                           kernels::ParallelFor& parallel_for, int* rounds);
  kernels::Error (*subtract)(const kernels::Points& points,
                             const uint16_t* centroids, int centroids_per_head,
                             const uint8_t* ids,
                             kernels::ParallelFor& parallel_for);
  kernels::Error (*quantize)(const kernels::QuantizeArgs& args,
                             kernels::ParallelFor& parallel_for);
  kernels::Error (*encode_min_max)(const kernels::MinMaxArgs& args,
                                   kernels::ParallelFor& parallel_for);
  kernels::Error (*decode_rows)(const kernels::PackedTensor& tensor,
                                int64_t first, int64_t tokens, uint16_t* out,
                                kernels::ParallelFor& parallel_for);
};

const Operations& Selected();

// "cpu" (which is selected at first) or, in a build with device code on a
// machine with a GPU, "cuda". False for what is not there.
bool Select(const std::string& device);

}  // namespace qvg::golden

#endif  // TESTS_GOLDEN_OPERATIONS_H_
