#ifndef KERNELS_KMEANS_H_
#define KERNELS_KMEANS_H_

#include <cstddef>
#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/error.h"
#include "kernels/parallel_for.h"
#include "kernels/rows.h"

namespace qvg::kernels {

// One clustering of the points of every head. The rules are those of the
// official QVG code but for the distances, which it rounds to BF16: here the
// differences themselves are squared and added in FP32, so that no large
// common offset can hide them.
struct KmeansArgs {
  Points points;                  // not changed
  int clusters = 0;               // K: 1 to 256
  uint16_t* centroids = nullptr;  // BF16 [H,K,D]
  uint8_t* labels = nullptr;      // [H,T]
};

// Workspace of the functions below, which must be 64-byte aligned.
size_t KmeansWorkspaceBytes(const KmeansArgs& args,
                            const ParallelFor& parallel_for);

// labels = the nearest centroid by squared distance, ties to the lowest index.
// Distances that overflow are no distances: such points get label 0.
Error KmeansAssign(const KmeansArgs& args, void* workspace,
                   size_t workspace_bytes, ParallelFor& parallel_for);

// centroids = FP32 sum of their members in the order of the tokens / their
// number, rounded to BF16. One without members, or whose sum overflows, stays.
Error KmeansUpdate(const KmeansArgs& args, void* workspace,
                   size_t workspace_bytes, ParallelFor& parallel_for);

// Rounds of KmeansAssign and KmeansUpdate, at most `max_rounds` of them, from
// the given centroids. From the second round on it stops between the two when
// less than 1 in 10,000 labels of all heads together has changed: then the
// centroids are those that the labels were assigned to, else one update newer.
// `rounds`, if not null, gets the number of assignments.
Error Kmeans(const KmeansArgs& args, int max_rounds, void* workspace,
             size_t workspace_bytes, ParallelFor& parallel_for,
             int* rounds = nullptr);

// centroids = points drawn uniformly with replacement, of which all K x H
// numbers come from `seed`.
Error KmeansDraw(const KmeansArgs& args, uint64_t seed);

// The plain versions of the two steps.
Error KmeansAssignReference(const KmeansArgs& args, void* workspace,
                            size_t workspace_bytes, ParallelFor& parallel_for);
Error KmeansUpdateReference(const KmeansArgs& args, void* workspace,
                            size_t workspace_bytes, ParallelFor& parallel_for);

// On the device; points and centroids must be aligned to 16 bytes. The nearest
// centroid is the one with the largest x.c - |c|^2 / 2, of which the products
// are exact and the sums FP32: an error of about 2^-21 |x| |c|, so that
// centroids which are nearer to each other than that may be taken for each
// other. Updates and draws are those of the CPU, bit for bit.
size_t KmeansCudaWorkspaceBytes(const KmeansArgs& args);
Error KmeansAssignCuda(const KmeansArgs& args, void* workspace,
                       size_t workspace_bytes, CudaStream stream);
Error KmeansUpdateCuda(const KmeansArgs& args, void* workspace,
                       size_t workspace_bytes, CudaStream stream);
Error KmeansCuda(const KmeansArgs& args, int max_rounds, void* workspace,
                 size_t workspace_bytes, CudaStream stream,
                 int32_t* rounds = nullptr);
Error KmeansDrawCuda(const KmeansArgs& args, uint64_t seed, CudaStream stream);

}  // namespace qvg::kernels

#endif  // KERNELS_KMEANS_H_
