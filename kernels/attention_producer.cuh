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

// Number n of the tiles that this block copies, and what it still reports of
// those before.
template <int D>
struct Copier {
  Stages<D>& stages;
  StageBarriers& barriers;
  uint32_t n = 0;

  __device__ void WaitForCopies(uint32_t i) const {
    Wait(&barriers.keys_full[i % kStages], i / kStages & 1);
    Wait(&barriers.values_full[i % kStages], i / kStages & 1);
  }
  // Until the keys that the stage held have been attended to.
  __device__ void WaitForStage() const {
    Wait(&barriers.keys_empty[n % kStages], (n / kStages & 1) ^ 1);
  }
  __device__ void Copy(const uint8_t* slot) {
    const uint32_t stage = n % kStages;
    ArriveExpecting(&barriers.keys_full[stage], kTileBytes<D>);
    BulkCopy(stages.keys[stage], slot, kTileBytes<D>,
             &barriers.keys_full[stage]);
    Wait(&barriers.values_empty[stage], (n / kStages & 1) ^ 1);
    ArriveExpecting(&barriers.values_full[stage], kTileBytes<D>);
    BulkCopy(stages.values[stage], slot + kTileBytes<D>, kTileBytes<D>,
             &barriers.values_full[stage]);
    ++n;
  }
};

// One thread's work. A tile is reported as taken when its stage is needed
// again: by then its copies are long over, and nobody waits for them.
template <int D>
__device__ void CopyTiles(const AttentionLaunch& launch, Stages<D>& stages,
                          StageBarriers& barriers) {
  Copier<D> copier = {stages, barriers};
  for (int i = blockIdx.x; i < launch.items; i += gridDim.x) {
    const int round = i / static_cast<int>(gridDim.x);
    const Group group = GroupOf(launch, round, HeadOfItem(launch, i));
    GroupState& state = launch.groups[group.state];
    TileWalker<kTileKeys<D>> walker = TilesOf<D>(*group.head.problem);
    KeyTile tile;
    int t = 0;
    for (; walker.Next(&tile); ++t) {
      copier.WaitForStage();
      if (t >= kStages) {
        copier.WaitForCopies(copier.n - kStages);
        AddRelaxed(&state.taken[(t - kStages) % launch.slots], 1);
      }
      WaitFor(&state.ready[t % launch.slots], static_cast<uint32_t>(t + 1));
      FenceProxyGlobal();
      copier.Copy(RingSlot<D>(launch, group, t));
    }
    for (int left = min(t, kStages); left > 0; --left) {
      copier.WaitForCopies(copier.n - left);
    }
    AddRelaxed(&launch.finished[round], 1);
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_ATTENTION_PRODUCER_CUH_
