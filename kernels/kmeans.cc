#include "kernels/kmeans.h"

#include <algorithm>

#include "kernels/counter_random.h"
#include "kernels/kmeans_internal.h"
#include "kernels/numeric.h"
#include "kernels/rows_internal.h"
#include "kernels/workspace.h"

namespace qvg::kernels {
namespace {

using internal::AssignFunction;
using internal::AssignTile;
using internal::kAssignTile;
using internal::kUpdateSlice;
using internal::PaddedClusters;
using internal::Tiles;
using internal::UpdateFunction;

// What lies where in the workspace.
struct Layout {
  Layout(const KmeansArgs& args, int workers, WorkspaceCutter* cutter) {
    const int64_t padded = PaddedClusters(args.clusters);
    transposed =
        cutter->Take<float>(args.points.heads * padded * args.points.dim);
    sums = cutter->Take<float>(workers * padded * kUpdateSlice);
    counts = cutter->Take<int32_t>(workers * padded);
    labels = cutter->Take<uint8_t>(args.points.heads * args.points.tokens);
    changes = cutter->Take<int64_t>(workers * kPadding);
  }

  // Elements between the counters of two workers, for a cache line each.
  static constexpr int64_t kPadding = 8;

  float* transposed;  // [H,D,padded]
  float* sums;        // [workers,padded,kUpdateSlice]
  int32_t* counts;    // [workers,padded]
  uint8_t* labels;    // [H,T], of the round before
  int64_t* changes;   // [workers,kPadding]
};

Error CheckAll(const KmeansArgs& args, const void* workspace, size_t bytes,
               const ParallelFor& parallel_for) {
  const Error error = internal::CheckKmeans(args);
  if (!error.ok()) return error;
  return CheckWorkspace(workspace, bytes,
                        KmeansWorkspaceBytes(args, parallel_for));
}

void Transpose(const KmeansArgs& args, int head, float* transposed) {
  const int dim = args.points.dim;
  const int padded = PaddedClusters(args.clusters);
  const uint16_t* centroids =
      args.centroids + int64_t{head} * args.clusters * dim;
  for (int d = 0; d < dim; ++d) {
    for (int k = 0; k < padded; ++k) {
      const int source = std::min(k, args.clusters - 1);
      transposed[d * padded + k] = BFloat16ToFloat(centroids[source * dim + d]);
    }
  }
}

void Assign(AssignFunction assign, const KmeansArgs& args, const Layout& layout,
            ParallelFor& parallel_for) {
  const Points& points = args.points;
  const int64_t head_floats =
      int64_t{points.dim} * PaddedClusters(args.clusters);
  parallel_for(points.heads, [&](int64_t head, int) {
    Transpose(args, static_cast<int>(head),
              layout.transposed + head * head_floats);
  });
  const int64_t tiles = Tiles(points.tokens, kAssignTile);
  parallel_for(points.heads * tiles, [&](int64_t item, int) {
    AssignTile tile;
    tile.head = static_cast<int>(item / tiles);
    tile.first = item % tiles * kAssignTile;
    tile.count = static_cast<int>(
        std::min<int64_t>(kAssignTile, points.tokens - tile.first));
    tile.centroids = layout.transposed + tile.head * head_floats;
    tile.labels = args.labels + tile.head * points.tokens + tile.first;
    assign(args, tile);
  });
}

void Update(UpdateFunction update, const KmeansArgs& args, const Layout& layout,
            ParallelFor& parallel_for) {
  const int64_t slices = args.points.dim / kUpdateSlice;
  const int64_t padded = PaddedClusters(args.clusters);
  parallel_for(args.points.heads * slices, [&](int64_t item, int worker) {
    update(args, {static_cast<int>(item / slices),
                  static_cast<int>(item % slices) * kUpdateSlice,
                  layout.sums + worker * padded * kUpdateSlice,
                  layout.counts + worker * padded});
  });
}

// The number of labels that differ from those of the round before, which
// become the present ones.
int64_t CountChanges(const KmeansArgs& args, const Layout& layout,
                     ParallelFor& parallel_for) {
  const int64_t total = args.points.heads * args.points.tokens;
  const int workers = parallel_for.workers();
  std::fill_n(layout.changes, workers * Layout::kPadding, int64_t{0});
  constexpr int64_t kTile = 4096;
  parallel_for(Tiles(total, kTile), [&](int64_t tile, int worker) {
    const int64_t end = std::min(total, (tile + 1) * kTile);
    int64_t changes = 0;
    for (int64_t i = tile * kTile; i < end; ++i) {
      changes += args.labels[i] != layout.labels[i] ? 1 : 0;
      layout.labels[i] = args.labels[i];
    }
    layout.changes[worker * Layout::kPadding] += changes;
  });
  int64_t changes = 0;
  for (int w = 0; w < workers; ++w) {
    changes += layout.changes[w * Layout::kPadding];
  }
  return changes;
}

Error RunAssign(AssignFunction assign, const KmeansArgs& args, void* workspace,
                size_t bytes, ParallelFor& parallel_for) {
  const Error error = CheckAll(args, workspace, bytes, parallel_for);
  if (!error.ok()) return error;
  WorkspaceCutter cutter(workspace);
  Assign(assign, args, Layout(args, parallel_for.workers(), &cutter),
         parallel_for);
  return Error::Ok();
}

Error RunUpdate(UpdateFunction update, const KmeansArgs& args, void* workspace,
                size_t bytes, ParallelFor& parallel_for) {
  const Error error = CheckAll(args, workspace, bytes, parallel_for);
  if (!error.ok()) return error;
  WorkspaceCutter cutter(workspace);
  Update(update, args, Layout(args, parallel_for.workers(), &cutter),
         parallel_for);
  return Error::Ok();
}

}  // namespace

Error internal::CheckKmeans(const KmeansArgs& args) {
  const Error error = Check(args.points);
  if (!error.ok()) return error;
  if (args.clusters < 1 || args.clusters > kMaxCentroids) {
    return Error::Invalid("clusters: must be 1 to 256");
  }
  if (args.centroids == nullptr) return Error::Invalid("centroids: null");
  if (args.points.tokens > 0 && args.labels == nullptr) {
    return Error::Invalid("labels: null");
  }
  return Error::Ok();
}

size_t KmeansWorkspaceBytes(const KmeansArgs& args,
                            const ParallelFor& parallel_for) {
  WorkspaceCutter cutter;
  Layout(args, parallel_for.workers(), &cutter);
  return cutter.bytes();
}

Error KmeansAssign(const KmeansArgs& args, void* workspace,
                   size_t workspace_bytes, ParallelFor& parallel_for) {
  return RunAssign(&internal::AssignTileFast, args, workspace, workspace_bytes,
                   parallel_for);
}

Error KmeansAssignReference(const KmeansArgs& args, void* workspace,
                            size_t workspace_bytes, ParallelFor& parallel_for) {
  return RunAssign(&internal::AssignTileReference, args, workspace,
                   workspace_bytes, parallel_for);
}

Error KmeansUpdate(const KmeansArgs& args, void* workspace,
                   size_t workspace_bytes, ParallelFor& parallel_for) {
  return RunUpdate(&internal::UpdateSliceFast, args, workspace, workspace_bytes,
                   parallel_for);
}

Error KmeansUpdateReference(const KmeansArgs& args, void* workspace,
                            size_t workspace_bytes, ParallelFor& parallel_for) {
  return RunUpdate(&internal::UpdateSliceReference, args, workspace,
                   workspace_bytes, parallel_for);
}

Error Kmeans(const KmeansArgs& args, int max_rounds, void* workspace,
             size_t workspace_bytes, ParallelFor& parallel_for, int* rounds) {
  const Error error = CheckAll(args, workspace, workspace_bytes, parallel_for);
  if (!error.ok()) return error;
  if (max_rounds < 1) return Error::Invalid("max_rounds: must be at least 1");
  WorkspaceCutter cutter(workspace);
  const Layout layout(args, parallel_for.workers(), &cutter);
  const int64_t total = args.points.heads * args.points.tokens;
  for (int round = 1; round <= max_rounds; ++round) {
    if (rounds != nullptr) *rounds = round;
    Assign(&internal::AssignTileFast, args, layout, parallel_for);
    const int64_t changes = CountChanges(args, layout, parallel_for);
    if (round > 1 && changes * 10000 < total) break;
    Update(&internal::UpdateSliceFast, args, layout, parallel_for);
  }
  return Error::Ok();
}

Error KmeansDraw(const KmeansArgs& args, uint64_t seed) {
  const Error error = internal::CheckKmeans(args);
  if (!error.ok()) return error;
  const Points& points = args.points;
  if (points.tokens == 0) return Error::Invalid("points: no token to draw");
  const int64_t draws = int64_t{points.heads} * args.clusters;
  for (int64_t i = 0; i < draws; ++i) {
    const int64_t head = i / args.clusters;
    const int64_t token =
        static_cast<int64_t>(RandomBelow(seed, i, points.tokens));
    std::copy_n(points.values + (head * points.tokens + token) * points.dim,
                points.dim, args.centroids + i * points.dim);
  }
  return Error::Ok();
}

}  // namespace qvg::kernels
