#include <cuda_bf16.h>

#include <algorithm>

#include "kernels/assign_cuda.cuh"
#include "kernels/assign_group_cuda.cuh"
#include "kernels/assign_warp_cuda.cuh"
#include "kernels/counter_random.h"
#include "kernels/cuda_check.h"
#include "kernels/cuda_launch.h"
#include "kernels/kmeans_batch_cuda.h"
#include "kernels/rows_internal.h"

namespace qvg::kernels::internal {
namespace {

constexpr int kSortThreads = 1024;
constexpr int kMeanThreads = 256;
constexpr int kMaxClusters = 256;

__device__ device::HeadRows RowsOf(const ClusterBatch& batch, int head) {
  const ClusterTensor& tensor = batch.tensors[head / batch.heads];
  return {tensor.points + head % batch.heads * tensor.head_stride,
          tensor.token_stride, batch.tokens, batch.dim};
}

__device__ uint16_t* CentroidsOf(const ClusterBatch& batch, int head) {
  return batch.tensors[head / batch.heads].centroids +
         int64_t{head % batch.heads} * batch.clusters * batch.dim;
}

__device__ uint8_t* LabelsOf(const ClusterBatch& batch, int head) {
  return batch.tensors[head / batch.heads].labels +
         head % batch.heads * batch.tokens;
}

// A thread per eight channels of a centroid, a head per blockIdx.y.
__global__ __launch_bounds__(kMeanThreads) void DrawKernel(
    const __grid_constant__ ClusterBatch batch) {
  const int octets = batch.dim / 8;
  const int i = blockIdx.x * kMeanThreads + threadIdx.x;
  if (i >= batch.clusters * octets) return;
  const int head = blockIdx.y;
  const int k = i / octets;
  const int64_t number = head % batch.heads * batch.clusters + k;
  const device::HeadRows rows = RowsOf(batch, head);
  const auto token = static_cast<int64_t>(RandomBelow(
      batch.tensors[head / batch.heads].seed, number, batch.tokens));
  const auto* row =
      reinterpret_cast<const uint4*>(rows.values + token * rows.stride);
  reinterpret_cast<uint4*>(CentroidsOf(batch, head))[i] =
      __ldg(row + i % octets);
}

// Labels of a tile's rows; returns how many of this lane's have changed.
template <typename Tile>
__device__ int StoreLabels(const int* labels, int64_t first, int64_t tokens,
                           bool compare, uint8_t* out) {
  int changes = 0;
  if (threadIdx.x % 4 != 0) return 0;
#pragma unroll
  for (int j = 0; j < Tile::kRows; ++j) {
    const int64_t token = first + Tile::Token(j);
    if (token >= tokens) continue;
    if (compare) changes += out[token] != labels[j] ? 1 : 0;
    out[token] = static_cast<uint8_t>(labels[j]);
  }
  return changes;
}

template <typename Tile>
constexpr int kAssignThreads = Tile::kThreads == 32 ? 384 : 512;

template <typename Tile>
__global__ __launch_bounds__(kAssignThreads<Tile>, 1) void AssignKernel(
    const __grid_constant__ ClusterBatch batch, RoundState* state,
    bool compare) {
  using Book = typename Tile::Book;
  extern __shared__ __align__(1024) uint4 shared[];
  if (state != nullptr && state->stopped != 0) return;
  const Book book = device::CodebookAt<Book>(shared, batch.clusters);
  int changes = 0;
  device::ForEachHead(
      int64_t{batch.count} * batch.heads, batch.tokens, Tile::kTokens,
      [&](int head, int64_t begin, int64_t end) {
        const device::HeadCentroids<Book> centroids = {CentroidsOf(batch, head),
                                                       batch.clusters, book};
        device::LoadCodebook(centroids.values, batch.clusters, batch.dim, book);
        const device::HeadRows rows = RowsOf(batch, head);
        for (int64_t tile = begin + threadIdx.x / Tile::kThreads; tile < end;
             tile += kAssignThreads<Tile> / Tile::kThreads) {
          const int64_t first = tile * Tile::kTokens;
          Tile points;
          int labels[Tile::kRows];
          device::LoadPoints(rows, first, &points);
          device::FindNearest(points, book, labels);
          device::LabelTheRest<Tile>(rows, first, centroids, labels);
          changes += StoreLabels<Tile>(labels, first, batch.tokens, compare,
                                       LabelsOf(batch, head));
        }
      });
  if (!compare) return;
  changes = __reduce_add_sync(0xffffffffu, changes);
  if (threadIdx.x % 32 == 0 && changes > 0) {
    atomicAdd(&state->changes, static_cast<unsigned long long>(changes));
  }
}

// The lanes of a warp that hold the same label as this one.
struct Peers {
  __device__ explicit Peers(int label)
      : lanes(__match_any_sync(0xffffffffu, label)) {}

  __device__ int count() const { return __popc(lanes); }
  __device__ int rank() const {
    return __popc(lanes & ((1u << threadIdx.x % 32) - 1));
  }

  unsigned lanes;
};

// The tokens of a warp, which follow each other, so that a warp's place among
// the warps is that of its tokens.
struct Share {
  __device__ explicit Share(int64_t tokens) {
    constexpr int kWarps = kSortThreads / 32;
    const int64_t size = (tokens + kSortThreads - 1) / kSortThreads * 32;
    begin = min(tokens, threadIdx.x / 32 * size);
    end = min(tokens, begin + size);
    static_assert(kWarps * 32 == kSortThreads);
  }

  int64_t begin;
  int64_t end;
};

// totals[k] = the sum of those before k, the last that of all; by one warp.
__device__ void ScanTotals(int* totals) {
  constexpr int kOfLane = kMaxClusters / 32;
  int* mine = totals + threadIdx.x * kOfLane;
  int own[kOfLane];
  int sum = 0;
#pragma unroll
  for (int i = 0; i < kOfLane; ++i) {
    own[i] = mine[i];
    sum += own[i];
  }
  int before = sum;
  for (int step = 1; step < 32; step *= 2) {
    const int other = __shfl_up_sync(0xffffffffu, before, step);
    before += threadIdx.x >= step ? other : 0;
  }
  if (threadIdx.x == 31) totals[kMaxClusters] = before;
  before -= sum;
#pragma unroll
  for (int i = 0; i < kOfLane; ++i) {
    mine[i] = before;
    before += own[i];
  }
}

// Turns the counts [warps,kMaxClusters] of a block into where in the order of
// the head each warp's members of each cluster begin.
__device__ void CountsToStarts(int clusters, int (*counts)[kMaxClusters],
                               int* totals, int32_t* starts) {
  const int k = threadIdx.x;
  if (k < kMaxClusters) {
    int sum = 0;
    for (int w = 0; w < kSortThreads / 32; ++w) sum += counts[w][k];
    totals[k] = sum;
  }
  __syncthreads();
  if (k < 32) {
    ScanTotals(totals);
    if (k == 0) starts[clusters] = totals[kMaxClusters];
  }
  __syncthreads();
  if (k < kMaxClusters) {
    int sum = totals[k];
    if (k < clusters) starts[k] = sum;
    for (int w = 0; w < kSortThreads / 32; ++w) {
      const int count = counts[w][k];
      counts[w][k] = sum;
      sum += count;
    }
  }
  __syncthreads();
}

// A stable counting sort of the tokens of one head by label, a block each.
__global__ __launch_bounds__(kSortThreads) void SortKernel(
    const __grid_constant__ ClusterBatch batch, ClusterWorkspace workspace,
    const RoundState* state) {
  __shared__ int counts[kSortThreads / 32][kMaxClusters];
  __shared__ int totals[kMaxClusters + 1];
  if (state != nullptr && state->stopped != 0) return;
  const int head = blockIdx.x;
  const int lane = threadIdx.x % 32;
  int* mine = counts[threadIdx.x / 32];
  const uint8_t* labels = LabelsOf(batch, head);
  const Share share(batch.tokens);
  for (int k = lane; k < kMaxClusters; k += 32) mine[k] = 0;
  __syncwarp();
  for (int64_t t = share.begin + lane; t - lane < share.end; t += 32) {
    const int label = t < share.end ? labels[t] : -1;
    const Peers peers(label);
    if (label >= 0 && peers.rank() == 0) mine[label] += peers.count();
    __syncwarp();
  }
  __syncthreads();
  CountsToStarts(batch.clusters, counts, totals,
                 workspace.starts + int64_t{head} * (batch.clusters + 1));
  int32_t* order = workspace.order + head * batch.tokens;
  for (int64_t t = share.begin + lane; t - lane < share.end; t += 32) {
    const int label = t < share.end ? labels[t] : -1;
    const Peers peers(label);
    if (label >= 0) {
      order[mine[label] + peers.rank()] = static_cast<int32_t>(t);
    }
    __syncwarp();
    if (label >= 0 && peers.rank() == 0) mine[label] += peers.count();
    __syncwarp();
  }
}

// Two channels per lane and pair.
template <int kPairs>
struct Sums {
  float low[kPairs];
  float high[kPairs];
};

template <int kPairs>
__device__ void AddPoint(const uint32_t* words, Sums<kPairs>* sums) {
#pragma unroll
  for (int p = 0; p < kPairs; ++p) {
    sums->low[p] += __uint_as_float(words[p] << 16);
    sums->high[p] += __uint_as_float(words[p] & 0xffff0000u);
  }
}

template <int kPairs>
__device__ void LoadPoint(const device::HeadRows& rows, int64_t token,
                          uint32_t* words) {
  const auto* row =
      reinterpret_cast<const uint32_t*>(rows.values + token * rows.stride);
#pragma unroll
  for (int p = 0; p < kPairs; ++p) {
    const int pair = threadIdx.x % 32 + 32 * p;
    words[p] = 2 * pair < rows.dim ? __ldg(row + pair) : 0;
  }
}

// Adds the members [*i, end), kCount at a time as long as there are so many:
// their loads are under way together, and clusters can be as large as a head.
template <int kPairs, int kCount>
__device__ void AddMembers(const device::HeadRows& rows, const int32_t* order,
                           int end, int* i, Sums<kPairs>* sums) {
#pragma unroll 1
  for (; *i + kCount <= end; *i += kCount) {
    uint32_t words[kCount][kPairs];
#pragma unroll
    for (int u = 0; u < kCount; ++u) {
      LoadPoint<kPairs>(rows, order[*i + u], words[u]);
    }
#pragma unroll
    for (int u = 0; u < kCount; ++u) AddPoint<kPairs>(words[u], sums);
  }
}

__device__ void StoreMean(float sum, int count, uint16_t* centroid) {
  const float mean = __fdiv_rn(sum, static_cast<float>(count));
  if (!(fabsf(mean) < INFINITY)) return;
  *centroid = __bfloat16_as_ushort(__float2bfloat16_rn(mean));
}

// A warp per centroid adds its members in the order of the tokens.
template <int kPairs>
__global__ __launch_bounds__(kMeanThreads) void MeanKernel(
    const __grid_constant__ ClusterBatch batch, ClusterWorkspace workspace,
    const RoundState* state) {
  if (state != nullptr && state->stopped != 0) return;
  const int head = blockIdx.y;
  const int k = blockIdx.x * (kMeanThreads / 32) + threadIdx.x / 32;
  if (k >= batch.clusters) return;
  const int32_t* starts =
      workspace.starts + int64_t{head} * (batch.clusters + 1);
  const int32_t* order = workspace.order + head * batch.tokens;
  const device::HeadRows rows = RowsOf(batch, head);
  const int begin = starts[k];
  const int end = starts[k + 1];
  if (begin == end) return;
  Sums<kPairs> sums = {};
  int i = begin;
  AddMembers<kPairs, 64 / kPairs>(rows, order, end, &i, &sums);
  AddMembers<kPairs, 8>(rows, order, end, &i, &sums);
  AddMembers<kPairs, 4>(rows, order, end, &i, &sums);
  AddMembers<kPairs, 1>(rows, order, end, &i, &sums);
  uint16_t* centroid = CentroidsOf(batch, head) + k * batch.dim;
#pragma unroll
  for (int p = 0; p < kPairs; ++p) {
    const int d = 2 * (threadIdx.x % 32 + 32 * p);
    if (d >= batch.dim) break;
    StoreMean(sums.low[p], end - begin, centroid + d);
    StoreMean(sums.high[p], end - begin, centroid + d + 1);
  }
}

int64_t HeadsOf(const ClusterBatch& batch) {
  return int64_t{batch.count} * batch.heads;
}

template <typename Tile>
Error LaunchAssign(const ClusterBatch& batch, RoundState* state, bool first,
                   CudaStream stream) {
  const int bytes = device::CodebookBytes<typename Tile::Book>(batch.clusters);
  const Error error = ToError(cudaFuncSetAttribute(
      AssignKernel<Tile>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  if (!error.ok()) return error;
  const int64_t tiles = HeadsOf(batch) * Tiles(batch.tokens, Tile::kTokens);
  const auto grid =
      static_cast<unsigned>(std::min<int64_t>(tiles, MultiprocessorCount()));
  AssignKernel<Tile><<<grid, kAssignThreads<Tile>, bytes, stream>>>(
      batch, state, state != nullptr && !first);
  return LaunchError();
}

template <int kPairs>
void LaunchMean(const ClusterBatch& batch, const ClusterWorkspace& workspace,
                const RoundState* state, CudaStream stream) {
  constexpr int kCentroids = kMeanThreads / 32;
  const dim3 grid(static_cast<unsigned>(Tiles(batch.clusters, kCentroids)),
                  static_cast<unsigned>(HeadsOf(batch)));
  MeanKernel<kPairs>
      <<<grid, kMeanThreads, 0, stream>>>(batch, workspace, state);
}

}  // namespace

Error DrawBatch(const ClusterBatch& batch, CudaStream stream) {
  const int64_t octets = int64_t{batch.clusters} * (batch.dim / 8);
  const dim3 grid(static_cast<unsigned>(Tiles(octets, kMeanThreads)),
                  static_cast<unsigned>(HeadsOf(batch)));
  DrawKernel<<<grid, kMeanThreads, 0, stream>>>(batch);
  return LaunchError();
}

Error AssignBatch(const ClusterBatch& batch, RoundState* state, bool first,
                  CudaStream stream) {
  if (batch.dim > 64 && batch.dim <= 128 &&
      device::FillsGroups(batch.clusters)) {
    return LaunchAssign<device::GroupTile<128>>(batch, state, first, stream);
  }
  if (batch.dim <= 64) {
    return LaunchAssign<device::WarpTile<64>>(batch, state, first, stream);
  }
  if (batch.dim <= 128) {
    return LaunchAssign<device::WarpTile<128>>(batch, state, first, stream);
  }
  return LaunchAssign<device::WarpTile<256>>(batch, state, first, stream);
}

Error UpdateBatch(const ClusterBatch& batch, const ClusterWorkspace& workspace,
                  const RoundState* state, CudaStream stream) {
  SortKernel<<<static_cast<unsigned>(HeadsOf(batch)), kSortThreads, 0,
               stream>>>(batch, workspace, state);
  if (batch.dim <= 64) {
    LaunchMean<1>(batch, workspace, state, stream);
  } else if (batch.dim <= 128) {
    LaunchMean<2>(batch, workspace, state, stream);
  } else {
    LaunchMean<4>(batch, workspace, state, stream);
  }
  return LaunchError();
}

}  // namespace qvg::kernels::internal
