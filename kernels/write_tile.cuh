#ifndef KERNELS_WRITE_TILE_CUH_
#define KERNELS_WRITE_TILE_CUH_

#include <cstdint>
#include <type_traits>

#include "kernels/attention_plan.cuh"
#include "kernels/rotary_source.cuh"
#include "kernels/tile_sources.cuh"
#include "kernels/wgmma.cuh"

namespace qvg::kernels::device {

inline constexpr int kDecoders = 96;

// Decodes a tile into the form that the tensor cores read. Rows past the end
// become zeros.
template <int D, typename Source>
__device__ void WriteTile(const Source& source, int count, uint8_t* to,
                          int thread) {
  constexpr int kOctets = D / kOctet;
  constexpr int kBatch = Source::kBatch;
  constexpr int kCount = kTileKeys<D> * kOctets;
  for (int base = thread; base < kCount; base += kBatch * kDecoders) {
    typename Source::Loaded loaded[kBatch];
    typename Source::Followed followed[kBatch];
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int at = base + i * kDecoders;
      const int row = min(at / kOctets, count - 1);
      loaded[i] = source.Load(row, at % kOctets * kOctet);
    }
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int at = base + i * kDecoders;
      followed[i] = source.Follow(loaded[i], at % kOctets * kOctet);
    }
#pragma unroll
    for (int i = 0; i < kBatch; ++i) {
      const int at = base + i * kDecoders;
      if (at >= kCount) break;
      const int row = at / kOctets;
      const int piece = at % kOctets;
      uint4 x = source.Finish(loaded[i], followed[i]);
      if (row >= count) x = {0, 0, 0, 0};
      uint8_t* rows = to + piece / 8 * (kTileKeys<D> * 128);
      *reinterpret_cast<uint4*>(rows + Swizzled(row, piece % 8)) = x;
    }
  }
}

template <int D>
__device__ void DecodeTensor(const PackedTensor& tensor, int head,
                             const KeyTile& tile, uint8_t* to, int thread) {
  WithSource<D>(tensor, head, tile.first, [&](const auto& source) {
    WriteTile<D>(source, tile.count, to, thread);
  });
}

template <int D>
__device__ void DecodeTurnedKeys(const RotaryTables& rotary, int head,
                                 const KeyTile& tile, uint8_t* to, int thread) {
  const PackedTensor& keys = tile.segment->keys;
  const int64_t position = tile.segment->position + tile.first;
  const auto write = [&](const auto& source) {
    using Source = std::decay_t<decltype(source)>;
    WriteTile<D>(RotarySource<Source>{source, rotary, position}, tile.count, to,
                 thread);
  };
  WithStoredSource<D>(keys, head, tile.first, write);
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_WRITE_TILE_CUH_
