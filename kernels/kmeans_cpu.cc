#include "kernels/kmeans_internal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/kmeans_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <limits>

#include "hwy/highway.h"
#include "kernels/numeric.h"
#include "kernels/packed_tensor.h"
#include "kernels/simd_numeric-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qvg::kernels::internal {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

void AssignTileTarget(const KmeansArgs& args, const AssignTile& tile) {
  AssignTileReference(args, tile);
}

void UpdateSliceTarget(const KmeansArgs& args, const UpdateSlice& slice) {
  UpdateSliceReference(args, slice);
}

#else

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = qvg::kernels::HWY_NAMESPACE;
using simd::kLanes;
using simd::TagF32;
using simd::VecF32;

// Tokens that share the loads of the centroids.
constexpr int kTokens = 4;

// The nearest cluster so far of some tokens, lane by lane.
struct Nearest {
  VecF32 distance[kTokens];
  VecF32 cluster[kTokens];
};

// Two vectors of clusters from `first` on against all tokens. points is
// [D,kTokens].
void Compare(const float* points, const float* centroids, int stride, int dim,
             int first, Nearest* nearest) {
  constexpr TagF32 df;
  VecF32 sums[2][kTokens];
  for (int t = 0; t < kTokens; ++t) sums[0][t] = sums[1][t] = hn::Zero(df);
  for (int d = 0; d < dim; ++d) {
    const float* row = centroids + d * stride + first;
    const auto low = hn::LoadU(df, row);
    const auto high = hn::LoadU(df, row + kLanes);
    for (int t = 0; t < kTokens; ++t) {
      const auto value = hn::Set(df, points[d * kTokens + t]);
      const auto a = hn::Sub(value, low);
      const auto b = hn::Sub(value, high);
      sums[0][t] = hn::MulAdd(a, a, sums[0][t]);
      sums[1][t] = hn::MulAdd(b, b, sums[1][t]);
    }
  }
  for (int half = 0; half < 2; ++half) {
    const auto cluster =
        hn::Iota(df, static_cast<float>(first + half * kLanes));
    for (int t = 0; t < kTokens; ++t) {
      const auto nearer = hn::Lt(sums[half][t], nearest->distance[t]);
      nearest->distance[t] =
          hn::IfThenElse(nearer, sums[half][t], nearest->distance[t]);
      nearest->cluster[t] =
          hn::IfThenElse(nearer, cluster, nearest->cluster[t]);
    }
  }
}

// The lowest of the nearest clusters of all lanes.
uint8_t Label(VecF32 distance, VecF32 cluster) {
  constexpr TagF32 df;
  HWY_ALIGN float distances[kLanes];
  HWY_ALIGN float clusters[kLanes];
  hn::Store(distance, df, distances);
  hn::Store(cluster, df, clusters);
  int best = 0;
  for (int i = 1; i < kLanes; ++i) {
    const bool nearer =
        distances[i] < distances[best] ||
        (distances[i] == distances[best] && clusters[i] < clusters[best]);
    if (nearer) best = i;
  }
  return static_cast<uint8_t>(clusters[best]);
}

// The tokens from `first` on, up to kTokens of them; past the end of the tile
// the last one again.
void GatherPoints(const KmeansArgs& args, const AssignTile& tile, int first,
                  float* points) {
  const int dim = args.points.dim;
  for (int t = 0; t < kTokens; ++t) {
    const int token = std::min(first + t, tile.count - 1);
    const uint16_t* row =
        args.points.values +
        (tile.head * args.points.tokens + tile.first + token) * dim;
    for (int d = 0; d < dim; ++d) {
      points[d * kTokens + t] = BFloat16ToFloat(row[d]);
    }
  }
}

void AssignTileTarget(const KmeansArgs& args, const AssignTile& tile) {
  constexpr TagF32 df;
  static_assert(kClusterPad % (2 * kLanes) == 0);
  const int padded = PaddedClusters(args.clusters);
  float points[kMaxHeadDim * kTokens];
  for (int first = 0; first < tile.count; first += kTokens) {
    GatherPoints(args, tile, first, points);
    Nearest nearest;
    for (int t = 0; t < kTokens; ++t) {
      nearest.distance[t] = hn::Set(df, std::numeric_limits<float>::infinity());
      nearest.cluster[t] = hn::Zero(df);
    }
    for (int k = 0; k < args.clusters; k += 2 * kLanes) {
      Compare(points, tile.centroids, padded, args.points.dim, k, &nearest);
    }
    for (int t = 0; t < std::min(kTokens, tile.count - first); ++t) {
      tile.labels[first + t] = Label(nearest.distance[t], nearest.cluster[t]);
    }
  }
}

void StoreMean(const float* sums, int32_t count, uint16_t* centroid) {
  constexpr TagF32 df;
  const auto divisor = hn::Set(df, static_cast<float>(count));
  const auto infinity = hn::Set(df, std::numeric_limits<float>::infinity());
  for (int i = 0; i < kUpdateSlice; i += kLanes) {
    const auto mean = hn::Div(hn::LoadU(df, sums + i), divisor);
    const auto finite = hn::Lt(hn::Abs(mean), infinity);
    const auto kept = simd::LoadBFloat16(centroid + i);
    simd::StoreBFloat16(
        hn::IfThenElse(finite, simd::RoundToBFloat16(mean), kept),
        centroid + i);
  }
}

void UpdateSliceTarget(const KmeansArgs& args, const UpdateSlice& slice) {
  constexpr TagF32 df;
  const int dim = args.points.dim;
  const int64_t tokens = args.points.tokens;
  std::fill_n(slice.sums, args.clusters * kUpdateSlice, 0.0f);
  std::fill_n(slice.counts, args.clusters, 0);
  const uint8_t* labels = args.labels + slice.head * tokens;
  const uint16_t* point =
      args.points.values + slice.head * tokens * dim + slice.first;
  for (int64_t t = 0; t < tokens; ++t, point += dim) {
    ++slice.counts[labels[t]];
    float* sums = slice.sums + labels[t] * kUpdateSlice;
    for (int i = 0; i < kUpdateSlice; i += kLanes) {
      hn::StoreU(
          hn::Add(hn::LoadU(df, sums + i), simd::LoadBFloat16(point + i)), df,
          sums + i);
    }
  }
  for (int k = 0; k < args.clusters; ++k) {
    if (slice.counts[k] == 0) continue;
    StoreMean(slice.sums + k * kUpdateSlice, slice.counts[k],
              args.centroids + (int64_t{slice.head} * args.clusters + k) * dim +
                  slice.first);
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace qvg::kernels::internal
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qvg::kernels::internal {

HWY_EXPORT(AssignTileTarget);
HWY_EXPORT(UpdateSliceTarget);

void AssignTileFast(const KmeansArgs& args, const AssignTile& tile) {
  HWY_DYNAMIC_DISPATCH(AssignTileTarget)(args, tile);
}

void UpdateSliceFast(const KmeansArgs& args, const UpdateSlice& slice) {
  HWY_DYNAMIC_DISPATCH(UpdateSliceTarget)(args, slice);
}

}  // namespace qvg::kernels::internal
#endif  // HWY_ONCE
