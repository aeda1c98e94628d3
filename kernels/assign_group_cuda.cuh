#ifndef KERNELS_ASSIGN_GROUP_CUDA_CUH_
#define KERNELS_ASSIGN_GROUP_CUDA_CUH_

#include <cstdint>

#include "kernels/assign_cuda.cuh"
#include "kernels/hopper.cuh"
#include "kernels/wgmma.cuh"

// assign_cuda.cuh for warpgroups, whose products read the centroids from shared
// memory by themselves (wgmma.cuh). For codebooks of 128 and 256.
namespace qvg::kernels::device {

// Centroids as operands: for every 64 channels a tile of rows of 128 bytes, the
// 16-byte pieces of a row swizzled, piece p of row r at p ^ (r % 8). Channels
// lie as the points' chunks ask: of each 16 (a step) the first words of half
// chunks, then the second.
template <int kDimension>
struct GroupBook {
  static constexpr int kDim = kDimension;
  static constexpr int kMultiple = 128;  // of rows
  static constexpr int kStepsOfTile = 4;

  uint4* operands;  // [kDim/64,rows,8], from a multiple of 1024 bytes on
  float* biases;    // [rows], -|c|^2/2
  int rows;

  // Word `word` of chunk 4 s + lane. All but the piece's number is the same in
  // all words of a row, and that changes no other bits of the offset.
  __device__ uint32_t* Word(int row, int s, int lane, int word) const {
    const uint32_t start = row * 128 + ((row & 7) << 4) + lane * 4;
    const int step = 2 * s + word / 2;
    const uint32_t piece = step % kStepsOfTile * 2 + word % 2;
    const uint32_t offset =
        (start ^ (piece << 4)) + step / kStepsOfTile * rows * 128;
    return reinterpret_cast<uint32_t*>(reinterpret_cast<char*>(operands) +
                                       offset);
  }

  __device__ void SetChunk(int row, int chunk, uint4 value) const {
    *Word(row, chunk / 4, chunk % 4, 0) = value.x;
    *Word(row, chunk / 4, chunk % 4, 1) = value.y;
    *Word(row, chunk / 4, chunk % 4, 2) = value.z;
    *Word(row, chunk / 4, chunk % 4, 3) = value.w;
  }

  __device__ uint4 Chunk(int row, int s, int lane) const {
    return make_uint4(*Word(row, s, lane, 0), *Word(row, s, lane, 1),
                      *Word(row, s, lane, 2), *Word(row, s, lane, 3));
  }

  // The descriptor of the channels of one step of 128 rows.
  __device__ uint64_t Operand(int row, int step) const {
    const uint32_t tile =
        SharedAddress(operands + (step / kStepsOfTile * rows + row) * 8);
    return RowsOperand(tile + step % kStepsOfTile * 32);
  }
};

// Whether there is little padding.
constexpr bool FillsGroups(int clusters) {
  return clusters > 112 && (clusters <= 128 || clusters > 224);
}

// A warpgroup's share of points: row j of lane 4 g + t of warp w is token
// 16 w + g + 8 j; chunks as in WarpTile, as the words of the operand.
template <int kDim>
struct GroupTile {
  using Book = GroupBook<kDim>;
  static constexpr int kThreads = 128;
  static constexpr int kRows = 2;
  static constexpr int kTokens = 64;
  static constexpr int kSteps = kDim / 32;

  static __device__ int Token(int j) {
    return threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4 + 8 * j;
  }

  __device__ uint4 Chunk(int j, int s) const {
    return make_uint4(words[2 * s][j], words[2 * s][j + 2], words[2 * s + 1][j],
                      words[2 * s + 1][j + 2]);
  }
  __device__ void SetChunk(int j, int s, uint4 value) {
    words[2 * s][j] = value.x;
    words[2 * s][j + 2] = value.y;
    words[2 * s + 1][j] = value.z;
    words[2 * s + 1][j + 2] = value.w;
  }

  uint32_t words[2 * kSteps][4];
};

// Scores of centroids [row, row + 128): of row j of the tile and centroid
// 8 n + 2 t + i in [4 n + 2 j + i].
template <int kDim>
__device__ void Score(const GroupTile<kDim>& points,
                      const GroupBook<kDim>& book, int row, float* scores) {
#pragma unroll
  for (int n = 0; n < 16; ++n) {
    const float2 bias = *reinterpret_cast<const float2*>(
        book.biases + row + 8 * n + threadIdx.x % 4 * 2);
    scores[4 * n] = scores[4 * n + 2] = bias.x;
    scores[4 * n + 1] = scores[4 * n + 3] = bias.y;
  }
  FenceProducts();
#pragma unroll
  for (int step = 0; step < kDim / 16; ++step) {
    MultiplyRegisters<128, false>(scores, points.words[step],
                                  book.Operand(row, step));
  }
  CommitProducts();
  WaitProducts<0>();
  Pin<64>(scores);
}

// Numbers that the compiler does not know, which would turn the products below
// into selections: a grid has one row.
struct OneAndZero {
  __device__ OneAndZero() : one(static_cast<float>(gridDim.y)), zero(one - 1) {}

  float one;
  float zero;
};

// If score > best: best = score, label = whose. The two assignments are fused
// multiply-adds: comparing and selecting share a pipe of half the rate, which
// would bound the kernel.
__device__ inline void Offer(float score, float whose, const OneAndZero& known,
                             float* best, float* label) {
  asm("{\n"
      ".reg .pred p;\n"
      "setp.gt.f32 p, %2, %0;\n"
      "@p fma.rn.f32 %0, %2, %4, 0f80000000;\n"
      "@p fma.rn.f32 %1, %1, %5, %3;\n"
      "}\n"
      : "+f"(*best), "+f"(*label)
      : "f"(score), "f"(whose), "f"(known.one), "f"(known.zero));
}

// As for a WarpTile.
template <int kDim>
__device__ void FindNearest(const GroupTile<kDim>& points,
                            const GroupBook<kDim>& book, int* labels) {
  // Of row i / 2, among the columns of parity i % 2: four chains that do not
  // wait for each other.
  float best[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
  float whose[4] = {};
  const OneAndZero known;
#pragma unroll 1
  for (int row = 0; row < book.rows; row += 128) {
    float scores[64];
    Score<kDim>(points, book, row, scores);
    const auto base = static_cast<float>(row);
#pragma unroll
    for (int n = 0; n < 16; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        Offer(scores[4 * n + i], base + static_cast<float>(8 * n), known,
              &best[i], &whose[i]);
      }
    }
  }
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    float score = best[2 * j];
    int label = static_cast<int>(whose[2 * j]) + threadIdx.x % 4 * 2;
    Improve(best[2 * j + 1],
            static_cast<int>(whose[2 * j + 1]) + threadIdx.x % 4 * 2 + 1,
            &score, &label);
#pragma unroll
    for (int step = 1; step <= 2; step *= 2) {
      Improve(__shfl_xor_sync(0xffffffffu, score, step),
              __shfl_xor_sync(0xffffffffu, label, step), &score, &label);
    }
    labels[j] = fabsf(score) < INFINITY ? label : -1;
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_ASSIGN_GROUP_CUDA_CUH_
