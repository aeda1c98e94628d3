#ifndef KERNELS_ATTENTION_PRODUCER_CUH_
#define KERNELS_ATTENTION_PRODUCER_CUH_

#include <cstdint>

#include "kernels/attention_plan.cuh"
#include "kernels/hopper.cuh"
#include "kernels/write_tile.cuh"

// The warps that bring keys and values: three decode the block's share of
// tiles into the group's ring, one thread copies every tile from there.
namespace qvg::kernels::device {

inline constexpr int kDecoderBarrier = 1;
inline constexpr int kStages = 2;

// Tiles on their way to the tensor cores. Keys and values have stages of their
// own, since the values of a tile are needed after the keys of the next.
template <int D>
struct alignas(1024) Stages {
  uint8_t keys[kStages][kTileBytes<D>];
  uint8_t values[kStages][kTileBytes<D>];
};

struct StageBarriers {
  Mbarrier keys_full[kStages];
  Mbarrier keys_empty[kStages];
  Mbarrier values_full[kStages];
  Mbarrier values_empty[kStages];
};

template <int D>
__device__ uint8_t* RingSlot(const AttentionLaunch& launch, const Group& group,
                             int tile) {
  const int64_t slot = int64_t{group.ring} * launch.slots + tile % launch.slots;
  return launch.rings + slot * 2 * kTileBytes<D>;
}

template <int D>
__device__ TileWalker<kTileKeys<D>> TilesOf(const AttentionProblem& problem) {
  return {problem.segments, problem.segments + problem.num_segments};
}

// Until the ring's slot for tile `t` is free: the round that had the ring
// before is over, and the blocks of the group have copied the tile that the
// slot held.
__device__ inline void WaitForSlot(const AttentionLaunch& launch, int round,
                                   const Group& group, int t) {
  if (t >= launch.slots) {
    WaitFor(&launch.groups[group.state].taken[t % launch.slots],
            static_cast<uint32_t>(group.members * (t / launch.slots)));
  } else if (round >= 2) {
    WaitFor(&launch.finished[round - 2], gridDim.x);
  }
}

template <int D, bool kRotary>
__device__ void DecodeTiles(const AttentionLaunch& launch, int thread) {
  for (int round = 0; round * gridDim.x < launch.items; ++round) {
    const Duty duty = DutyIn(launch, round);
    const Group& group = duty.group;
    TileWalker<kTileKeys<D>> walker = TilesOf<D>(*group.head.problem);
    KeyTile tile;
    for (int t = 0; walker.Next(&tile); ++t) {
      if (t % duty.stride != duty.first) continue;
      if (thread == 0) WaitForSlot(launch, round, group, t);
      Sync(kDecoderBarrier, kDecoders);
      uint8_t* slot = RingSlot<D>(launch, group, t);
      if constexpr (kRotary) {
        DecodeTurnedKeys<D>(launch.rotary, group.head.in_problem, tile, slot,
                            thread);
      } else {
        DecodeTensor<D>(tile.segment->keys, group.head.in_problem, tile, slot,
                        thread);
      }
      DecodeTensor<D>(tile.segment->values, group.head.in_problem, tile,
                      slot + kTileBytes<D>, thread);
      FenceProxyGlobal();
      __threadfence();
      Sync(kDecoderBarrier, kDecoders);
      if (thread == 0) {
        StoreRelaxed(&launch.groups[group.state].ready[t % launch.slots],
                     static_cast<uint32_t>(t + 1));
      }
    }
  }
}

// Says that this block has taken the `n`th tile that it copied in all.
__device__ inline void ReportTaken(uint32_t* taken, StageBarriers& barriers,
                                   uint32_t n) {
  Wait(&barriers.keys_full[n % kStages], n / kStages & 1);
  Wait(&barriers.values_full[n % kStages], n / kStages & 1);
  AddRelaxed(taken, 1);
}

template <int D>
__device__ void CopyTile(const uint8_t* slot, Stages<D>& stages,
                         StageBarriers& barriers, uint32_t n) {
  const uint32_t stage = n % kStages;
  const uint32_t before = (n / kStages & 1) ^ 1;
  Wait(&barriers.keys_empty[stage], before);
  ArriveExpecting(&barriers.keys_full[stage], kTileBytes<D>);
  BulkCopy(stages.keys[stage], slot, kTileBytes<D>, &barriers.keys_full[stage]);
  Wait(&barriers.values_empty[stage], before);
  ArriveExpecting(&barriers.values_full[stage], kTileBytes<D>);
  BulkCopy(stages.values[stage], slot + kTileBytes<D>, kTileBytes<D>,
           &barriers.values_full[stage]);
}

// One thread's work.
template <int D>
__device__ void CopyTiles(const AttentionLaunch& launch, Stages<D>& stages,
                          StageBarriers& barriers) {
  uint32_t n = 0;  // tiles copied
  for (int i = blockIdx.x; i < launch.items; i += gridDim.x) {
    const int round = i / static_cast<int>(gridDim.x);
    const Group group = GroupOf(launch, round, HeadOfItem(launch, i));
    GroupState& state = launch.groups[group.state];
    TileWalker<kTileKeys<D>> walker = TilesOf<D>(*group.head.problem);
    KeyTile tile;
    uint32_t* last = nullptr;  // where to report the tile before
    for (int t = 0; walker.Next(&tile); ++t, ++n) {
      WaitFor(&state.ready[t % launch.slots], static_cast<uint32_t>(t + 1));
      FenceProxyGlobal();
      CopyTile<D>(RingSlot<D>(launch, group, t), stages, barriers, n);
      if (last != nullptr) ReportTaken(last, barriers, n - 1);
      last = &state.taken[t % launch.slots];
    }
    if (last != nullptr) ReportTaken(last, barriers, n - 1);
    AddRelaxed(&launch.finished[round], 1);
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_ATTENTION_PRODUCER_CUH_
