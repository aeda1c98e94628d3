#ifndef KERNELS_KMEANS_INTERNAL_H_
#define KERNELS_KMEANS_INTERNAL_H_

#include <cstddef>
#include <cstdint>

#include "kernels/kmeans.h"

namespace qvg::kernels::internal {

// What all functions of kmeans.h refuse.
Error CheckKmeans(const KmeansArgs& args);

// Tokens that one work item assigns, channels that one updates.
inline constexpr int kAssignTile = 64;
inline constexpr int kUpdateSlice = 16;
// Clusters are padded to a multiple of this in the workspace.
inline constexpr int kClusterPad = 32;

inline int PaddedClusters(int clusters) {
  return (clusters + kClusterPad - 1) / kClusterPad * kClusterPad;
}

// Tokens [first, first + count) of one head.
struct AssignTile {
  int head = 0;
  int64_t first = 0;
  int count = 0;
  // The head's centroids as FP32, channel by channel: [D,PaddedClusters],
  // padded with copies of the last one.
  const float* centroids = nullptr;
  uint8_t* labels = nullptr;  // of the tile
};

using AssignFunction = void (*)(const KmeansArgs& args, const AssignTile& tile);
void AssignTileReference(const KmeansArgs& args, const AssignTile& tile);
void AssignTileFast(const KmeansArgs& args, const AssignTile& tile);

// Channels [first, first + kUpdateSlice) of the centroids of one head.
struct UpdateSlice {
  int head = 0;
  int first = 0;
  float* sums = nullptr;      // [K,kUpdateSlice]
  int32_t* counts = nullptr;  // [K]
};

using UpdateFunction = void (*)(const KmeansArgs& args,
                                const UpdateSlice& slice);
void UpdateSliceReference(const KmeansArgs& args, const UpdateSlice& slice);
void UpdateSliceFast(const KmeansArgs& args, const UpdateSlice& slice);

}  // namespace qvg::kernels::internal

#endif  // KERNELS_KMEANS_INTERNAL_H_
