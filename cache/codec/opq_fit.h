#ifndef CACHE_CODEC_OPQ_FIT_H_
#define CACHE_CODEC_OPQ_FIT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cache/codec/opq_tables.h"
#include "kernels/parallel_for.h"

namespace qvg {

struct OpqFitOptions {
  int rounds = 25;  // of k-means, at least 1
  uint64_t seed = 1;
};

// Tables of one tensor (K or V of one layer) from sample vectors, FP32
// [count,heads,head_dim]; after the eigenvalue allocation of optimized product
// quantization (Ge et al., CVPR 2013). Per head: the mean, the eigenvectors of
// the covariance dealt into parts of equal log-variance, and 256 entries per
// part by k-means of the rotated vectors, each divided by its own root mean
// square. Same samples and options, same tables, for any number of threads.
// INVALID_ARGUMENT for less than 256 vectors, or values that are not finite.
absl::StatusOr<OpqTensor> FitOpq(absl::Span<const float> samples, int64_t count,
                                 int heads, int head_dim,
                                 const OpqFitOptions& options,
                                 kernels::ParallelFor& parallel_for);

// Which direction goes where: the falling variances of n directions are dealt
// into n / width parts, each to the part with the smallest sum of log-variance
// that has room. Returns the directions in the order of the parts.
std::vector<int> DealDirections(absl::Span<const double> variances, int width);

}  // namespace qvg

#endif  // CACHE_CODEC_OPQ_FIT_H_
