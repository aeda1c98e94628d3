#ifndef KERNELS_ASSIGN_WARP_CUDA_CUH_
#define KERNELS_ASSIGN_WARP_CUDA_CUH_

#include <cstdint>

#include "kernels/assign_cuda.cuh"

// assign_cuda.cuh for warps, whose products take both operands from registers.
// For codebooks of any size.
namespace qvg::kernels::device {

// Centroids in shared memory as the operand with 16 rows: for every 16
// centroids and every half of a chunk the four words of each lane side by side:
// (g, first pair), (g + 8, first), (g, second), (g + 8, second). `rows` is a
// multiple of 16; those past the last centroid are never nearest.
template <int kDimension>
struct WarpBook {
  static constexpr int kDim = kDimension;
  static constexpr int kMultiple = 16;  // of rows
  static constexpr int kHalves = kDim / 16;

  uint4* operands;  // [rows/16,kHalves,32]
  float* biases;    // [rows], -|c|^2/2
  int rows;

  __device__ const uint4* Operand(int row, int half) const {
    return operands + (row / 16 * kHalves + half) * 32;
  }

  __device__ void SetChunk(int row, int chunk, uint4 value) const {
    const int lane = row % 8 * 4 + chunk % 4;
    const int high = row / 8 % 2;
    auto* words = reinterpret_cast<uint32_t*>(
        const_cast<uint4*>(Operand(row, chunk / 4 * 2) + lane));
    words[high] = value.x;
    words[high + 2] = value.y;
    words[high + 128] = value.z;
    words[high + 130] = value.w;
  }

  // Chunk 4 s + t of a row.
  __device__ uint4 Chunk(int row, int s, int t) const {
    const int lane = row % 8 * 4 + t;
    const uint4 first = Operand(row, 2 * s)[lane];
    const uint4 second = Operand(row, 2 * s + 1)[lane];
    return row % 16 < 8 ? make_uint4(first.x, first.z, second.x, second.z)
                        : make_uint4(first.y, first.w, second.y, second.w);
  }
};

// A warp's share of points: row j of lane 4 g + t is token g + 8 j, of which
// the lane holds the chunks (of 8 channels) t, 4 + t, 8 + t, ... Two words of
// a chunk are what a lane brings into a product of 16 channels as the operand
// with 8 columns; which channels of a chunk's 32 those are does not matter, as
// long as the other operand agrees.
template <int kDim>
struct WarpTile {
  using Book = WarpBook<kDim>;
  static constexpr int kThreads = 32;  // that share a tile
  static constexpr int kRows = kDim == 256 ? 2 : 4;
  static constexpr int kTokens = 8 * kRows;
  static constexpr int kSteps = kDim / 32;

  static __device__ int Token(int j) { return threadIdx.x % 32 / 4 + 8 * j; }

  __device__ uint4 Chunk(int j, int s) const { return chunks[j][s]; }
  __device__ void SetChunk(int j, int s, uint4 value) { chunks[j][s] = value; }

  uint4 chunks[kRows][kSteps];
};

// c += a b for 16 rows, 8 columns and 16 channels.
__device__ inline void Multiply(uint4 a, uint32_t b0, uint32_t b1, float* c) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}

// The best score so far, and whose it is, of the tokens 8 j + 2 t + i in
// [j][i], among the centroids g modulo 8.
template <int kDim>
struct WarpNearest {
  static constexpr int kRows = WarpTile<kDim>::kRows;

  __device__ WarpNearest() {
#pragma unroll
    for (int j = 0; j < kRows; ++j) {
      score[j][0] = score[j][1] = -INFINITY;
      label[j][0] = label[j][1] = 0;
    }
  }

  __device__ void Offer(int j, int i, float offered, int whose) {
    const bool better = offered > score[j][i];
    score[j][i] = better ? offered : score[j][i];
    label[j][i] = better ? whose : label[j][i];
  }

  // Joins the lanes of all g; ties go to the lowest.
  __device__ void Join() {
#pragma unroll
    for (int n = 0; n < 2 * kRows; ++n) {
      float& own = score[n / 2][n % 2];
      int& mine = label[n / 2][n % 2];
      for (int step = 4; step <= 16; step *= 2) {
        Improve(__shfl_xor_sync(0xffffffffu, own, step),
                __shfl_xor_sync(0xffffffffu, mine, step), &own, &mine);
      }
    }
  }

  // Of token g + 8 j, once joined: -1 without a finite score.
  __device__ int LabelOf(int j) const {
    const int lane = threadIdx.x % 32;
    int labels[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int sure = fabsf(score[j][i]) < INFINITY ? label[j][i] : -1;
      labels[i] = __shfl_sync(0xffffffffu, sure, lane / 8);
    }
    return lane / 4 % 2 == 0 ? labels[0] : labels[1];
  }

  float score[kRows][2];
  int label[kRows][2];
};

// Scores of centroids [row, row + 16) for all tokens of the warp: in [j][i] of
// centroid g and token 8 j + 2 t + i, in [j][2 + i] of centroid g + 8.
template <int kDim>
__device__ void Score(const WarpTile<kDim>& points, const WarpBook<kDim>& book,
                      int row, float (*scores)[4]) {
  constexpr int kRows = WarpTile<kDim>::kRows;
  const int lane = threadIdx.x % 32;
  const float low = book.biases[row + lane / 4];
  const float high = book.biases[row + lane / 4 + 8];
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    scores[j][0] = scores[j][1] = low;
    scores[j][2] = scores[j][3] = high;
  }
  const uint4* operands = book.Operand(row, 0) + lane;
#pragma unroll
  for (int s = 0; s < WarpTile<kDim>::kSteps; ++s) {
    const uint4 first = operands[64 * s];
    const uint4 second = operands[64 * s + 32];
#pragma unroll
    for (int j = 0; j < kRows; ++j) {
      const uint4& chunk = points.chunks[j][s];
      Multiply(first, chunk.x, chunk.y, scores[j]);
    }
#pragma unroll
    for (int j = 0; j < kRows; ++j) {
      const uint4& chunk = points.chunks[j][s];
      Multiply(second, chunk.z, chunk.w, scores[j]);
    }
  }
}

// labels[j] = the nearest centroid to row j, ties to the lowest index, in all
// four lanes of the row; -1 without a finite score.
template <int kDim>
__device__ void FindNearest(const WarpTile<kDim>& points,
                            const WarpBook<kDim>& book, int* labels) {
  constexpr int kRows = WarpTile<kDim>::kRows;
  const int lane = threadIdx.x % 32;
  WarpNearest<kDim> nearest;
#pragma unroll 1
  for (int row = 0; row < book.rows; row += 16) {
    float scores[kRows][4];
    Score<kDim>(points, book, row, scores);
#pragma unroll
    for (int j = 0; j < kRows; ++j) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        nearest.Offer(j, i, scores[j][i], row);
        nearest.Offer(j, i, scores[j][2 + i], row + 8);
      }
    }
  }
#pragma unroll
  for (int j = 0; j < kRows; ++j) {
    nearest.label[j][0] += lane / 4;
    nearest.label[j][1] += lane / 4;
  }
  nearest.Join();
#pragma unroll
  for (int j = 0; j < kRows; ++j) labels[j] = nearest.LabelOf(j);
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_ASSIGN_WARP_CUDA_CUH_
