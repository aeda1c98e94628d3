#ifndef KERNELS_ATTENTION_CONSUMER_CUH_
#define KERNELS_ATTENTION_CONSUMER_CUH_

#include <cstdint>

#include "kernels/attention_plan.cuh"
#include "kernels/attention_producer.cuh"
#include "kernels/attention_softmax.cuh"
#include "kernels/hopper.cuh"
#include "kernels/wgmma.cuh"

// The warpgroups that attend: each takes 64 of an item's queries and keeps
// their logits, weights and sums in registers.
namespace qvg::kernels::device {

inline constexpr int kFirstTurnBarrier = 4;

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
    // Hidden from the compiler, which else keeps all descriptors of the queries
    // in registers that there are not enough of.
    uint32_t queries = query;
    asm volatile("" : "+r"(queries));
    FenceProducts();
#pragma unroll
    for (int k = 0; k < D / 16; ++k) {
      const uint32_t step = k % 4 * 32;
      MultiplyShared<kKeys>(
          logits, RowsOperand(queries + k / 4 * (kItemQueries * 128) + step),
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
