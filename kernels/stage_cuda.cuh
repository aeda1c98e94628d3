#ifndef KERNELS_STAGE_CUDA_CUH_
#define KERNELS_STAGE_CUDA_CUH_

#include <cstdint>

#include "kernels/octet_cuda.cuh"
#include "kernels/quantize.h"

// What EncodeCuda does with the rows of a tile (assign_cuda.cuh) once it knows
// their nearest centroids.
namespace qvg::kernels::device {

// One stage of one tensor.
struct StageTensor {
  const uint16_t* rows;
  int64_t token_stride;
  int64_t head_stride;
  const uint16_t* centroids;  // [H,K,D]
  uint8_t* ids;               // [H,T]
  uint8_t* codes;
  uint8_t* scales;
  uint8_t* zeros;
  uint16_t* residual;  // BF16 [H,T,D]; may be `rows`
};

struct StageBatch {
  static constexpr int kMostTensors = 64;

  StageTensor tensors[kMostTensors];
  int count;
  int heads;
  int64_t tokens;
  int clusters;
  int bits;
  int block;
  QuantizeRule rule;
};

// What becomes of the rows once the centroids are subtracted.
enum class Ending {
  kResidual,  // stored, for the next stage
  kTernary,   // quantized: two bits, kAbsmax
  kAnyCodes,  // quantized by any rule
};

// The rows of a tile after subtraction, and where they go.
template <typename Tile>
struct TileRows {
  static constexpr int kDim = Tile::Book::kDim;

  // The token of row j, which may lie past the last.
  __device__ int64_t Token(int j) const { return first + Tile::Token(j); }
  // The chunk (of 8 channels) number s of this lane.
  static __device__ int Chunk(int s) { return 4 * s + threadIdx.x % 4; }

  Tile points;
  int64_t first;
  int head;
};

// Ternary codes and their scale are the same of an infinity as of the largest
// number, so that there nothing needs to be saturated.
template <Ending kEnding, typename Tile>
__device__ void SubtractNearest(const typename Tile::Book& book,
                                const int* labels, TileRows<Tile>* rows) {
#pragma unroll
  for (int j = 0; j < Tile::kRows; ++j) {
#pragma unroll
    for (int s = 0; s < Tile::kSteps; ++s) {
      const uint4 centroid = book.Chunk(labels[j], s, threadIdx.x % 4);
      const uint4 point = rows->points.Chunk(j, s);
      rows->points.SetChunk(j, s,
                            kEnding == Ending::kTernary
                                ? Subtract(point, centroid)
                                : SubtractSaturated(point, centroid));
    }
  }
}

template <typename Tile>
__device__ void StoreIds(const StageBatch& batch, const TileRows<Tile>& rows,
                         const int* labels, uint8_t* ids) {
  if (threadIdx.x % 4 != 0) return;
#pragma unroll
  for (int j = 0; j < Tile::kRows; ++j) {
    const int64_t token = rows.Token(j);
    if (token < batch.tokens) {
      ids[rows.head * batch.tokens + token] = static_cast<uint8_t>(labels[j]);
    }
  }
}

template <typename Tile>
__device__ void StoreResidual(const StageBatch& batch,
                              const TileRows<Tile>& rows, uint16_t* residual) {
#pragma unroll
  for (int j = 0; j < Tile::kRows; ++j) {
    const int64_t token = rows.Token(j);
    if (token >= batch.tokens) break;
    auto* row = reinterpret_cast<uint4*>(
        residual + (rows.head * batch.tokens + token) * rows.kDim);
#pragma unroll
    for (int s = 0; s < Tile::kSteps; ++s) {
      row[TileRows<Tile>::Chunk(s)] = rows.points.Chunk(j, s);
    }
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_STAGE_CUDA_CUH_
