#ifndef KERNELS_ASSIGN_GROUP_CUDA_CUH_
#define KERNELS_ASSIGN_GROUP_CUDA_CUH_

#include <cstdint>

// assign_cuda.cuh for warpgroups, whose products read the centroids from shared
// memory by themselves (PTX ISA, "Asynchronous Warpgroup Level Matrix
// Multiply-Accumulate"). For codebooks of 128 and 256.
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

  // Where the word of a chunk lies: the step's, the first or second.
  __device__ uint32_t* Word(int row, int chunk, int half, int second) const {
    const int step = chunk / 4 * 2 + half;
    const int piece = step % kStepsOfTile * 2 + second;
    const uint4* at =
        operands + (step / kStepsOfTile * rows + row) * 8 + (piece ^ (row & 7));
    return reinterpret_cast<uint32_t*>(const_cast<uint4*>(at)) + chunk % 4;
  }

  __device__ void SetChunk(int row, int chunk, uint4 value) const {
    *Word(row, chunk, 0, 0) = value.x;
    *Word(row, chunk, 0, 1) = value.y;
    *Word(row, chunk, 1, 0) = value.z;
    *Word(row, chunk, 1, 1) = value.w;
  }

  __device__ uint4 Chunk(int row, int chunk) const {
    return make_uint4(*Word(row, chunk, 0, 0), *Word(row, chunk, 0, 1),
                      *Word(row, chunk, 1, 0), *Word(row, chunk, 1, 1));
  }

  // The descriptor of the channels of one step of 128 rows.
  __device__ uint64_t Operand(int row, int step) const {
    const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(
        operands + (step / kStepsOfTile * rows + row) * 8));
    const uint32_t start = address + step % kStepsOfTile * 32;
    return uint64_t{(start & 0x3ffff) >> 4} | uint64_t{1} << 16 |
           uint64_t{1024 >> 4} << 32 | uint64_t{1} << 62;
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

#define QVG_8(d, i)                                                           \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), \
      "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7])

// d[64,128] += a[64,16] b[128,16]^T.
__device__ inline void MultiplyGroup(float* d, const uint32_t* a, uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, "
      "%12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, "
      "%24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, "
      "%60, %61, %62, %63"
      "}, {%64, %65, %66, %67}, %68, 1, 1, 1, 0;\n"
      : QVG_8(d, 0), QVG_8(d, 8), QVG_8(d, 16), QVG_8(d, 24), QVG_8(d, 32),
        QVG_8(d, 40), QVG_8(d, 48), QVG_8(d, 56)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

#undef QVG_8

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
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
  for (int step = 0; step < kDim / 16; ++step) {
    MultiplyGroup(scores, points.words[step], book.Operand(row, step));
  }
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
#pragma unroll
  for (int i = 0; i < 64; ++i) asm volatile("" : "+f"(scores[i])::"memory");
}

// As for a WarpTile.
template <int kDim>
__device__ void FindNearest(const GroupTile<kDim>& points,
                            const GroupBook<kDim>& book, int* labels) {
  // Of row i / 2, among the columns of parity i % 2: four chains that do not
  // wait for each other.
  float best[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
  int whose[4] = {};
#pragma unroll 1
  for (int row = 0; row < book.rows; row += 128) {
    float scores[64];
    Score<kDim>(points, book, row, scores);
#pragma unroll
    for (int n = 0; n < 16; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const bool better = scores[4 * n + i] > best[i];
        best[i] = better ? scores[4 * n + i] : best[i];
        whose[i] = better ? row + 8 * n : whose[i];
      }
    }
  }
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    float score = best[2 * j];
    int label = whose[2 * j] + threadIdx.x % 4 * 2;
    Improve(best[2 * j + 1], whose[2 * j + 1] + threadIdx.x % 4 * 2 + 1, &score,
            &label);
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
