#ifndef KERNELS_ATTENTION_PRODUCER_CUH_
#define KERNELS_ATTENTION_PRODUCER_CUH_

#include <cstdint>

#include "kernels/attention_plan.cuh"
#include "kernels/decode_cuda.cuh"
#include "kernels/hopper.cuh"
#include "kernels/wgmma.cuh"

// The warps that bring keys and values: three decode the block's share of
// tiles into the group's ring, one thread copies every tile from there.
namespace qvg::kernels::device {

inline constexpr int kDecoders = 96;
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
__device__ uint8_t* RingSlot(const AttentionLaunch& launch, int group,
                             int tile) {
  const int64_t slot =
      int64_t{group % launch.num_rings} * launch.slots + tile % launch.slots;
  return launch.rings + slot * 2 * kTileBytes<D>;
}

// Decodes a tile with `decode`, a function as DecodeOctet, into the form that
// the tensor cores read. Rows past the end become zeros.
template <int D, typename Decode>
__device__ void WriteTile(const KeyTile& tile, uint8_t* to, int thread,
                          const Decode& decode) {
  constexpr int kOctets = D / kOctet;
  constexpr int kBatch = 2;  // octets that a thread loads before it stores
  constexpr int kCount = kTileKeys<D> * kOctets;
  for (int base = thread; base < kCount; base += kBatch * kDecoders) {
    float x[kBatch][kOctet];
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int at = base + i * kDecoders;
#pragma unroll
      for (int j = 0; j < kOctet; ++j) x[i][j] = 0;
      if (at / kOctets < tile.count) {
        decode(tile.first + at / kOctets, at % kOctets * kOctet, x[i]);
      }
    }
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int at = base + i * kDecoders;
      if (at >= kCount) break;
      const int piece = at % kOctets;
      uint8_t* rows = to + piece / 8 * (kTileKeys<D> * 128);
      *reinterpret_cast<uint4*>(rows + Swizzled(at / kOctets, piece % 8)) =
          PackOctet(x[i]);
    }
  }
}

template <int D>
__device__ void DecodeTensor(const PackedTensor tensor, int head,
                             const KeyTile& tile, uint8_t* to, int thread) {
  const auto write = [&](const auto& decode) {
    WriteTile<D>(tile, to, thread, decode);
  };
  if (tensor.codec.encoding == Encoding::kResidual) {
    return write([&](int64_t token, int channel, float* x) {
      DecodeResidualOctet(tensor, head, token, channel, x);
    });
  }
  if (tensor.codec.encoding == Encoding::kProduct) {
    return write([&](int64_t token, int channel, float* x) {
      DecodeProductOctet(tensor, head, token, channel, x);
    });
  }
  write([&](int64_t token, int channel, float* x) {
    DecodeOctet(tensor, head, token, channel, x);
  });
}

// Until the ring's slot for tile `t` is free: the groups of the round before
// have left the rings, and the blocks of this one have copied the tile that
// the slot held.
__device__ inline void WaitForSlot(const AttentionLaunch& launch,
                                   const Item& item, int t) {
  if (t < launch.slots) {
    return WaitFor(launch.finished,
                   static_cast<uint32_t>(item.round) * gridDim.x);
  }
  WaitFor(&launch.groups[item.group].taken[t % launch.slots],
          static_cast<uint32_t>(item.members * (t / launch.slots)));
}

template <int D>
__device__ void DecodeTiles(const AttentionLaunch& launch, int thread) {
  for (int i = blockIdx.x; i < launch.items; i += gridDim.x) {
    const Item item = ItemAt(launch, i);
    const KvSegment* segments = item.problem->segments;
    TileWalker<kTileKeys<D>> walker(segments,
                                    segments + item.problem->num_segments);
    KeyTile tile;
    for (int t = 0; walker.Next(&tile); ++t) {
      if (t % item.members != item.member) continue;
      if (thread == 0) WaitForSlot(launch, item, t);
      Sync(kDecoderBarrier, kDecoders);
      uint8_t* slot = RingSlot<D>(launch, item.group, t);
      DecodeTensor<D>(tile.segment->keys, item.head, tile, slot, thread);
      DecodeTensor<D>(tile.segment->values, item.head, tile,
                      slot + kTileBytes<D>, thread);
      FenceProxyGlobal();
      __threadfence();
      Sync(kDecoderBarrier, kDecoders);
      if (thread == 0) {
        StoreRelease(&launch.groups[item.group].ready[t % launch.slots],
                     static_cast<uint32_t>(t + 1));
      }
    }
  }
}

// Tells the group that this block has taken tile number `tile`, the `n`th that
// it copied in all.
__device__ inline void ReportTaken(const AttentionLaunch& launch,
                                   StageBarriers& barriers, int group, int tile,
                                   uint32_t n) {
  Wait(&barriers.keys_full[n % kStages], n / kStages & 1);
  Wait(&barriers.values_full[n % kStages], n / kStages & 1);
  AddRelease(&launch.groups[group].taken[tile % launch.slots], 1);
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
    const Item item = ItemAt(launch, i);
    GroupState& group = launch.groups[item.group];
    const KvSegment* segments = item.problem->segments;
    TileWalker<kTileKeys<D>> walker(segments,
                                    segments + item.problem->num_segments);
    KeyTile tile;
    int t = 0;
    for (; walker.Next(&tile); ++t, ++n) {
      WaitFor(&group.ready[t % launch.slots], static_cast<uint32_t>(t + 1));
      FenceProxyGlobal();
      CopyTile<D>(RingSlot<D>(launch, item.group, t), stages, barriers, n);
      if (t > 0) ReportTaken(launch, barriers, item.group, t - 1, n - 1);
    }
    if (t > 0) ReportTaken(launch, barriers, item.group, t - 1, n - 1);
    AddRelease(launch.finished, 1);
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_ATTENTION_PRODUCER_CUH_
