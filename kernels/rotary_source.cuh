#ifndef KERNELS_ROTARY_SOURCE_CUH_
#define KERNELS_ROTARY_SOURCE_CUH_

#include <cstdint>

#include "kernels/decode_cuda.cuh"
#include "kernels/rotary.h"

namespace qvg::kernels::device {

// a / b for a below 2^24; an integer division would be most of the work here.
__device__ inline uint32_t Quotient(uint32_t a, uint32_t b) {
  auto quotient = static_cast<uint32_t>(
      __fdividef(static_cast<float>(a), static_cast<float>(b)));
  if (quotient * b > a) --quotient;
  if (a - quotient * b >= b) ++quotient;
  return quotient;
}

// Where the turns of one token are.
struct TokenTurns {
  const float2* axis[3];

  __device__ TokenTurns(const RotaryTables& tables, int64_t position) {
    const auto token = static_cast<uint32_t>(position);
    const uint32_t line = Quotient(token, tables.columns);
    const uint32_t frame = Quotient(line, tables.rows);
    const int64_t at[3] = {frame - tables.first_frame,
                           line - frame * tables.rows,
                           token - line * tables.columns};
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      axis[i] = reinterpret_cast<const float2*>(tables.turns[i]) +
                at[i] * tables.pairs[i];
    }
  }

  __device__ float2 At(const RotaryTables& tables, int pair) const {
    if (pair < tables.pairs[0]) return axis[0][pair];
    pair -= tables.pairs[0];
    return pair < tables.pairs[1] ? axis[1][pair]
                                  : axis[2][pair - tables.pairs[1]];
  }
};

// Turns what another source (tile_sources.cuh) gives; `position` is that of its
// first row.
template <typename Source>
struct RotarySource {
  static constexpr int kBatch = Source::kBatch < 4 ? Source::kBatch : 4;
  static constexpr int kPairs = kOctet / 2;
  struct Loaded {
    typename Source::Loaded source;
    int row;
  };
  struct Followed {
    typename Source::Followed source;
    float2 turns[kPairs];
  };

  const Source& source;
  const RotaryTables& tables;
  int64_t position;

  __device__ Loaded Load(int row, int channel) const {
    return {source.Load(row, channel), row};
  }
  __device__ Followed Follow(const Loaded& loaded, int channel) const {
    Followed followed;
    followed.source = source.Follow(loaded.source, channel);
    const TokenTurns turns(tables, position + loaded.row);
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      followed.turns[i] = turns.At(tables, channel / 2 + i);
    }
    return followed;
  }
  __device__ uint4 Finish(const Loaded& loaded, const Followed& f) const {
    const uint4 bits = source.Finish(loaded.source, f.source);
    const uint32_t words[kPairs] = {bits.x, bits.y, bits.z, bits.w};
    float x[kOctet];
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const float2 pair = BFloat16Pair(words[i]);
      const float2 turn = f.turns[i];
      x[2 * i] = pair.x * turn.x - pair.y * turn.y;
      x[2 * i + 1] = pair.x * turn.y + pair.y * turn.x;
    }
    return PackOctet(x);
  }
};

}  // namespace qvg::kernels::device

#endif  // KERNELS_ROTARY_SOURCE_CUH_
