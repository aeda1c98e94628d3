#ifndef KERNELS_ATTENTION_CONSUMER_CUH_
#define KERNELS_ATTENTION_CONSUMER_CUH_

#include <cmath>
#include <cstdint>

#include "kernels/attention_plan.cuh"
#include "kernels/attention_producer.cuh"
#include "kernels/attention_spaces.cuh"
#include "kernels/hopper.cuh"
#include "kernels/wgmma.cuh"

// The warpgroups that attend: each takes 64 of an item's queries and keeps
// their logits, weights and sums in registers.
namespace qvg::kernels::device {

inline constexpr int kWarpgroup = 128;
inline constexpr int kFirstTurnBarrier = 4;
inline constexpr float kLog2E = 1.4426950408889634f;
inline constexpr float kLn2 = 0.6931471805599453f;

// A thread's first row of its warpgroup's 64; the other is 8 below.
__device__ inline int FirstRow() {
  return static_cast<int>(threadIdx.x % kWarpgroup / 32 * 16 +
                          threadIdx.x % 32 / 4);
}

// What a thread holds of its warpgroup's 64 queries: rows r and r + 8.
template <int D>
struct Rows {
  float out[D / 2];  // weighted sums of values, relative to `max`
  float max[2];      // of the logits so far, before the scale
  float sum[2];      // of this thread's weights
  float bias[2];     // of the logits of the phase
};

template <int D>
struct Consumer {
  static constexpr int kKeys = kTileKeys<D>;
  static constexpr uint32_t kHalf = kKeys * 128;  // bytes of 64 channels

  uint32_t query;  // shared address of the warpgroup's queries
  Stages<D>* stages;
  StageBarriers* barriers;
  float scale_log2;
  int warpgroup;
  uint32_t n = 0;  // tiles attended to

  // The two warpgroups take turns at issuing products, so that one's weights
  // are made while the other's products run.
  __device__ void StartTurn() const {
    Sync(kFirstTurnBarrier + warpgroup, 2 * kWarpgroup);
  }
  __device__ void EndTurn() const {
    SyncArrive(kFirstTurnBarrier + 1 - warpgroup, 2 * kWarpgroup);
  }

  // logits = queries of the warpgroup times the keys of tile number `at`.
  __device__ void StartLogits(float* logits, uint32_t at) const {
    Wait(&barriers->keys_full[at % kStages], at / kStages & 1);
    const uint32_t keys = SharedAddress(stages->keys[at % kStages]);
    FenceProducts();
#pragma unroll
    for (int k = 0; k < D / 16; ++k) {
      const uint32_t step = k % 4 * 32;
      MultiplyShared<kKeys>(
          logits, RowsOperand(query + k / 4 * (kItemQueries * 128) + step),
          RowsOperand(keys + k / 4 * kHalf + step), k > 0);
    }
    CommitProducts();
  }

  // out += weights times the values of tile number `at`.
  __device__ void StartSums(float* out, const uint32_t* weights,
                            uint32_t at) const {
    Wait(&barriers->values_full[at % kStages], at / kStages & 1);
    const uint32_t values = SharedAddress(stages->values[at % kStages]);
    FenceProducts();
#pragma unroll
    for (int k = 0; k < kKeys / 16; ++k) {
      MultiplyRegisters<D>(out, weights + 4 * k,
                           ColumnsOperand(values + k * 2048, kHalf));
    }
    CommitProducts();
  }

  __device__ void Release(Mbarrier* empty, uint32_t at) const {
    if (threadIdx.x % 32 == 0) Arrive(&empty[at % kStages]);
  }
};

// Logits of keys past the end of a tile weigh nothing.
template <int kKeys>
__device__ void MaskEnd(float* logits, int count) {
  const int column = threadIdx.x % 4 * 2;
#pragma unroll
  for (int i = 0; i < kKeys / 2; ++i) {
    if (i / 4 * 8 + column + i % 2 >= count) logits[i] = -INFINITY;
  }
}

// Turns logits into weights, relative to the largest logit so far, and says by
// which factors earlier sums shrink. exp2(x s - m s) = exp(...) / exp(...).
template <int D, int kKeys>
__device__ void ToWeights(float* logits, float scale_log2, Rows<D>& rows,
                          float* shrink) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float max = -INFINITY;
#pragma unroll
    for (int i = 2 * r; i < kKeys / 2; i += 4) {
      max = fmaxf(max, fmaxf(logits[i], logits[i + 1]));
    }
    max = fmaxf(max, __shfl_xor_sync(0xffffffffu, max, 1));
    max = fmaxf(max, __shfl_xor_sync(0xffffffffu, max, 2));
    max = fmaxf(rows.max[r], max + rows.bias[r]);
    shrink[r] = Exp2((rows.max[r] - max) * scale_log2);
    rows.max[r] = max;
    const float offset = (rows.bias[r] - max) * scale_log2;
    float sum = 0;
#pragma unroll
    for (int i = 2 * r; i < kKeys / 2; i += 4) {
      logits[i] = Exp2(fmaf(logits[i], scale_log2, offset));
      logits[i + 1] = Exp2(fmaf(logits[i + 1], scale_log2, offset));
      sum += logits[i] + logits[i + 1];
    }
    rows.sum[r] = fmaf(rows.sum[r], shrink[r], sum);
  }
}

template <int D>
__device__ void Shrink(Rows<D>& rows, const float* shrink) {
  // Most tiles hold no new maximum, for any row of the warp.
  if (__all_sync(0xffffffffu, shrink[0] == 1 && shrink[1] == 1)) return;
#pragma unroll
  for (int i = 0; i < D / 2; ++i) rows.out[i] *= shrink[i / 2 % 2];
}

// As the left operand of the next product: of 16 keys, two columns of one row
// to a word.
template <int kKeys>
__device__ void PackWeights(const float* weights, uint32_t* packed) {
#pragma unroll
  for (int i = 0; i < kKeys / 4; ++i) {
    packed[i] = PackBFloat16(weights[2 * i], weights[2 * i + 1]);
  }
}

// Attends to all tiles of one phase. The products of a tile's weights and
// values run while the next tile's logits become weights.
template <int D>
__device__ void AttendPhase(Consumer<D>& on, TileWalker<kTileKeys<D>> walker,
                            Rows<D>& rows) {
  constexpr int kKeys = kTileKeys<D>;
  float logits[kKeys / 2];
  uint32_t weights[kKeys / 4];
  float shrink[2];
  KeyTile tile;
  if (!walker.Next(&tile)) return;
  on.StartLogits(logits, on.n);
  WaitProducts<0>();
  Pin<kKeys / 2>(logits);
  on.Release(on.barriers->keys_empty, on.n);
  if (tile.count < kKeys) MaskEnd<kKeys>(logits, tile.count);
  ToWeights<D, kKeys>(logits, on.scale_log2, rows, shrink);
  Shrink(rows, shrink);
  PackWeights<kKeys>(logits, weights);
  while (walker.Next(&tile)) {
    on.StartTurn();
    on.StartLogits(logits, on.n + 1);
    on.StartSums(rows.out, weights, on.n);
    on.EndTurn();
    WaitProducts<1>();
    Pin<kKeys / 2>(logits);
    on.Release(on.barriers->keys_empty, on.n + 1);
    if (tile.count < kKeys) MaskEnd<kKeys>(logits, tile.count);
    ToWeights<D, kKeys>(logits, on.scale_log2, rows, shrink);
    WaitProducts<0>();
    Pin<D / 2>(rows.out);
    on.Release(on.barriers->values_empty, on.n);
    Shrink(rows, shrink);
    PackWeights<kKeys>(logits, weights);
    ++on.n;
  }
  on.StartSums(rows.out, weights, on.n);
  WaitProducts<0>();
  Pin<D / 2>(rows.out);
  on.Release(on.barriers->values_empty, on.n);
  ++on.n;
}

// `first_query` is the thread's first row's.
template <int D>
__device__ void StoreRows(const AttentionLaunch& launch, const Head& head,
                          int64_t first_query, const Rows<D>& rows) {
  const AttentionProblem& problem = *head.problem;
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int64_t query = first_query + 8 * r;
    if (query >= problem.queries) continue;
    float* out = problem.out + query * problem.out_token_stride +
                 head.in_problem * problem.out_head_stride +
                 threadIdx.x % 4 * 2;
    const float factor = 1 / rows.sum[r];
#pragma unroll
    for (int i = 2 * r; i < D / 2; i += 4) {
      out[i / 4 * 8] = rows.out[i] * factor;
      out[i / 4 * 8 + 1] = rows.out[i + 1] * factor;
    }
    if (problem.lse != nullptr && threadIdx.x % 4 == 0) {
      problem.lse[head.in_problem * problem.queries + query] =
          rows.max[r] * launch.scale + logf(rows.sum[r]);
    }
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_ATTENTION_CONSUMER_CUH_
