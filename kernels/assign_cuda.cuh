#ifndef KERNELS_ASSIGN_CUDA_CUH_
#define KERNELS_ASSIGN_CUDA_CUH_

#include <cstdint>

// The nearest of a head's centroids to its tokens, by tensor cores: what does
// not depend on how the products are done. A Tile holds the tokens of those
// threads that work together, its Book the centroids in shared memory.
//
// Points and centroids enter as the BF16 numbers they are, so every product is
// exact; sums and norms are FP32. The score x.c - |c|^2/2 orders centroids as
// the distance does.
namespace qvg::kernels::device {

template <typename Book>
__host__ __device__ constexpr int PaddedRows(int clusters) {
  return (clusters + Book::kMultiple - 1) / Book::kMultiple * Book::kMultiple;
}

template <typename Book>
constexpr int CodebookBytes(int clusters) {
  return PaddedRows<Book>(clusters) * (Book::kDim * 2 + 4);
}

template <typename Book>
__device__ Book CodebookAt(void* shared, int clusters) {
  const int rows = PaddedRows<Book>(clusters);
  auto* operands = static_cast<uint4*>(shared);
  return {operands,
          reinterpret_cast<float*>(operands + rows * (Book::kDim / 8)), rows};
}

__device__ inline float SquareSum(uint32_t pair, float sum) {
  const float low = __uint_as_float(pair << 16);
  const float high = __uint_as_float(pair & 0xffff0000u);
  return fmaf(high, high, fmaf(low, low, sum));
}

// Fills the codebook by all threads of the block, which meet before (when the
// last one is done with the old content) and after. centroids is [clusters,
// dim], dim at most kDim.
template <typename Book>
__device__ void LoadCodebook(const uint16_t* centroids, int clusters, int dim,
                             const Book& book) {
  constexpr int kChunks = Book::kDim / 8;
  __syncthreads();
#pragma unroll 8
  for (int i = threadIdx.x; i < book.rows * kChunks; i += blockDim.x) {
    const int row = i / kChunks;
    const int chunk = i % kChunks;
    uint4 value = make_uint4(0, 0, 0, 0);
    if (row < clusters && chunk * 8 < dim) {
      value = __ldcg(
          reinterpret_cast<const uint4*>(centroids + row * dim + chunk * 8));
    }
    book.SetChunk(row, chunk, value);
  }
  __syncthreads();
  const int lane = threadIdx.x % 4;
  for (int row = threadIdx.x / 4; row < book.rows; row += blockDim.x / 4) {
    float sum = 0;
    for (int s = 0; s < kChunks / 4; ++s) {
      const uint4 v = book.Chunk(row, s, lane);
      sum = SquareSum(v.w, SquareSum(v.z, SquareSum(v.y, SquareSum(v.x, sum))));
    }
    const unsigned quad = 0xfu << (threadIdx.x % 32 / 4 * 4);
    sum += __shfl_xor_sync(quad, sum, 1);
    sum += __shfl_xor_sync(quad, sum, 2);
    if (lane == 0) {
      book.biases[row] = row < clusters ? sum * -0.5f : -INFINITY;
    }
  }
  // Products of warpgroups read by another way than loads do.
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
}

// Rows of a head, from its first token on.
struct HeadRows {
  const uint16_t* values;
  int64_t stride;
  int64_t tokens;
  int dim;
};

// Tokens [first, first + kTokens); past the last token the last one again.
template <typename Tile>
__device__ void LoadPoints(const HeadRows& rows, int64_t first, Tile* points) {
#pragma unroll
  for (int j = 0; j < Tile::kRows; ++j) {
    const int64_t token = min(first + Tile::Token(j), rows.tokens - 1);
    const uint16_t* row = rows.values + token * rows.stride;
#pragma unroll
    for (int s = 0; s < Tile::kSteps; ++s) {
      const int channel = (4 * s + threadIdx.x % 4) * 8;
      points->SetChunk(
          j, s,
          channel < rows.dim
              ? __ldg(reinterpret_cast<const uint4*>(row + channel))
              : make_uint4(0, 0, 0, 0));
    }
  }
}

// Squared differences added in FP32, for points whose scores overflow; those
// that overflow too are no distances.
__device__ inline int LabelByDistance(const uint16_t* point,
                                      const uint16_t* centroids, int clusters,
                                      int dim) {
  float best = INFINITY;
  int label = 0;
#pragma unroll 1
  for (int k = 0; k < clusters; ++k) {
    float sum = 0;
#pragma unroll 1
    for (int d = 0; d < dim; ++d) {
      const float difference =
          __uint_as_float(uint32_t{point[d]} << 16) -
          __uint_as_float(uint32_t{centroids[k * dim + d]} << 16);
      sum += difference * difference;
    }
    if (sum < best) {
      best = sum;
      label = k;
    }
  }
  return label;
}

// The centroids of a head, as they are and in shared memory.
template <typename Book>
struct HeadCentroids {
  const uint16_t* values;  // [clusters,dim]
  int clusters;
  Book book;
};

// Labels that are -1, of rows without a finite score, by distance.
template <typename Tile>
__device__ void LabelTheRest(
    const HeadRows& rows, int64_t first,
    const HeadCentroids<typename Tile::Book>& centroids, int* labels) {
#pragma unroll
  for (int j = 0; j < Tile::kRows; ++j) {
    if (labels[j] >= 0) continue;
    const int64_t token = min(first + Tile::Token(j), rows.tokens - 1);
    labels[j] = LabelByDistance(rows.values + token * rows.stride,
                                centroids.values, centroids.clusters, rows.dim);
  }
}

// The better of two scores, at a tie the lower label.
__device__ inline void Improve(float offered, int whose, float* score,
                               int* label) {
  if (offered > *score || (offered == *score && whose < *label)) {
    *score = offered;
    *label = whose;
  }
}

// Cuts all heads into tiles of kTokens tokens, gives every block as many that
// follow each other, and calls visit(head, first tile, end tile) for each head
// that the block meets.
template <typename Visitor>
__device__ void ForEachHead(int64_t heads, int64_t tokens, int tile_tokens,
                            const Visitor& visit) {
  const int64_t tiles = (tokens + tile_tokens - 1) / tile_tokens;
  const int64_t total = heads * tiles;
  int64_t begin = blockIdx.x * total / gridDim.x;
  const int64_t end = (blockIdx.x + 1) * total / gridDim.x;
  while (begin < end) {
    const auto head = static_cast<int>(begin / tiles);
    const int64_t stop = min(end, (head + 1) * tiles);
    visit(head, begin - head * tiles, stop - head * tiles);
    begin = stop;
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_ASSIGN_CUDA_CUH_
