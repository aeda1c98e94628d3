#ifndef KERNELS_STAGE_CODES_CUDA_CUH_
#define KERNELS_STAGE_CODES_CUDA_CUH_

#include <cstdint>

#include "kernels/quantize_cuda.cuh"
#include "kernels/search_cuda.cuh"
#include "kernels/stage_cuda.cuh"

// The last stage's end: what is left of a tile's rows becomes codes.
namespace qvg::kernels::device {

// scales[s] = that of the block of chunk s of row j.
template <bool kTernary, typename Tile>
__device__ void ScalesOf(const Tile& points, int j, const StageBatch& batch,
                         BlockScale* scales) {
  constexpr int kSteps = Tile::kSteps;
  const QuantizeRule rule = kTernary ? QuantizeRule::kAbsmax : batch.rule;
  BlockRange ranges[kSteps];
#pragma unroll
  for (int s = 0; s < kSteps; ++s)
    ranges[s] = RangeOf(points.Chunk(j, s), rule);
  if (batch.block == 64) {
#pragma unroll
    for (int s = 0; s < kSteps; s += 2) {
      ranges[s] = ranges[s + 1] = Join(ranges[s], ranges[s + 1]);
    }
  }
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    ranges[s] = JoinLanes(ranges[s], rule, 1);
    if (batch.block >= 32) ranges[s] = JoinLanes(ranges[s], rule, 2);
    if (kTernary || !IsSearched(rule)) {
      scales[s] = ScaleOf(ranges[s], rule, kTernary ? 2 : batch.bits);
    }
  }
  if (kTernary || !IsSearched(rule)) return;
  const int octets = batch.block == 64 ? 2 : 1;
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    if (s % octets != 0) {
      scales[s] = scales[s - 1];
      continue;
    }
    scales[s] = {SearchScale(points.Chunk(j, s),
                             points.Chunk(j, (s + octets - 1) % kSteps), octets,
                             ranges[s].high, rule, batch.block > 16 ? 4 : 2),
                 0};
  }
}

template <bool kTernary>
__device__ uint32_t WordOf(uint4 values, const StageBatch& batch,
                           BlockScale scale) {
  if (kTernary || batch.rule == QuantizeRule::kSearch) {
    return PackTernary(values, scale.scale);
  }
  return HasFourLevels(batch.rule)
             ? PackFourLevels(values, scale.scale)
             : PackOctet(values, batch.rule, batch.bits, scale);
}

template <bool kTernary, typename Tile>
__device__ void StoreCodes(const StageBatch& batch, const StageTensor& tensor,
                           const TileRows<Tile>& rows) {
  const int bits = kTernary ? 2 : batch.bits;
  // Of chunks by blocks, which are powers of two.
  const int shift = __ffs(batch.block / 8) - 1;
#pragma unroll
  for (int j = 0; j < Tile::kRows; ++j) {
    BlockScale scales[Tile::kSteps];
    ScalesOf<kTernary>(rows.points, j, batch, scales);
    if (rows.Token(j) >= batch.tokens) continue;
    const int64_t octet =
        (rows.Token(j) * batch.heads + rows.head) * (rows.kDim / 8);
    uint8_t* codes = tensor.codes + octet * bits;
    const int64_t first_block = octet >> shift;
#pragma unroll
    for (int s = 0; s < Tile::kSteps; ++s) {
      const int chunk = TileRows<Tile>::Chunk(s);
      const uint32_t word =
          WordOf<kTernary>(rows.points.Chunk(j, s), batch, scales[s]);
      if (bits == 2) {
        reinterpret_cast<uint16_t*>(codes)[chunk] = static_cast<uint16_t>(word);
      } else {
        reinterpret_cast<uint32_t*>(codes)[chunk] = word;
      }
      if ((chunk & ((1 << shift) - 1)) != 0) continue;
      tensor.scales[first_block + (chunk >> shift)] = scales[s].scale;
      if (!kTernary && batch.rule == QuantizeRule::kMinMax) {
        tensor.zeros[first_block + (chunk >> shift)] = scales[s].zero;
      }
    }
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_STAGE_CODES_CUDA_CUH_
