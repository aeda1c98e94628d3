#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/kmeans_internal.h"
#include "kernels/numeric.h"

namespace qvg::kernels::internal {
namespace {

float SquaredDistance(const uint16_t* point, const float* centroid, int stride,
                      int dim) {
  float sum = 0;
  for (int d = 0; d < dim; ++d) {
    const float difference = BFloat16ToFloat(point[d]) - centroid[d * stride];
    sum += difference * difference;
  }
  return sum;
}

}  // namespace

void AssignTileReference(const KmeansArgs& args, const AssignTile& tile) {
  const int dim = args.points.dim;
  const int padded = PaddedClusters(args.clusters);
  const uint16_t* point =
      args.points.values + (tile.head * args.points.tokens + tile.first) * dim;
  for (int t = 0; t < tile.count; ++t, point += dim) {
    float best = std::numeric_limits<float>::infinity();
    int label = 0;
    for (int k = 0; k < args.clusters; ++k) {
      const float distance =
          SquaredDistance(point, tile.centroids + k, padded, dim);
      if (distance < best) {
        best = distance;
        label = k;
      }
    }
    tile.labels[t] = static_cast<uint8_t>(label);
  }
}

void UpdateSliceReference(const KmeansArgs& args, const UpdateSlice& slice) {
  const int dim = args.points.dim;
  const int64_t tokens = args.points.tokens;
  std::fill_n(slice.sums, args.clusters * kUpdateSlice, 0.0f);
  std::fill_n(slice.counts, args.clusters, 0);
  for (int64_t t = 0; t < tokens; ++t) {
    const int64_t row = slice.head * tokens + t;
    const uint16_t* point = args.points.values + row * dim + slice.first;
    const int label = args.labels[row];
    ++slice.counts[label];
    for (int i = 0; i < kUpdateSlice; ++i) {
      slice.sums[label * kUpdateSlice + i] += BFloat16ToFloat(point[i]);
    }
  }
  for (int k = 0; k < args.clusters; ++k) {
    if (slice.counts[k] == 0) continue;
    uint16_t* centroid =
        args.centroids + (int64_t{slice.head} * args.clusters + k) * dim;
    for (int i = 0; i < kUpdateSlice; ++i) {
      const float mean = slice.sums[k * kUpdateSlice + i] /
                         static_cast<float>(slice.counts[k]);
      if (!std::isfinite(mean)) continue;
      centroid[slice.first + i] = FloatToBFloat16(mean);
    }
  }
}

}  // namespace qvg::kernels::internal
