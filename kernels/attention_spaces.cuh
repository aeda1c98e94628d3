#ifndef KERNELS_ATTENTION_SPACES_CUH_
#define KERNELS_ATTENTION_SPACES_CUH_

#include <cstdint>

#include "kernels/attention_plan.cuh"
#include "kernels/decode_cuda.cuh"
#include "kernels/hopper.cuh"
#include "kernels/wgmma.cuh"

// Tensors of kProduct are attended to in the space of their codebooks, with
// stored x = A y + m, q x = (A^T q) y
// + q m, and the sum of weighted values is A times that of the y, plus the sum
// of the weights times m. So the queries turn once, not the keys.
namespace qvg::kernels::device {

// A codebook's space as one head sees it; null pointers: none, as stored.
struct Space {
  const float* rotation = nullptr;  // A, [D,D] row-major
  const float* mean = nullptr;      // m, [D]

  __device__ bool none() const { return rotation == nullptr; }
  __device__ bool operator==(const Space& other) const {
    return rotation == other.rotation && mean == other.mean;
  }
};

__device__ inline Space SpaceOf(const PackedTensor& tensor, int head) {
  if (tensor.codec.encoding != Encoding::kProduct) return {};
  const int64_t dim = tensor.codec.head_dim;
  return {tensor.tables.rotation + head * dim * dim,
          tensor.tables.mean + head * dim};
}

// y[8] = channels [channel, channel + 8) of A^T x.
template <int D>
__device__ void RotateOctet(const Space& space, const float* x, int channel,
                            float* y) {
#pragma unroll
  for (int j = 0; j < kOctet; ++j) y[j] = 0;
  for (int i = 0; i < D; ++i) {
#pragma unroll
    for (int j = 0; j < kOctet; ++j) {
      y[j] = fmaf(space.rotation[i * D + channel + j], x[i], y[j]);
    }
  }
}

// Writes a warpgroup's queries to shared memory, as keys of `space` meet them,
// two threads to a row; and each row's q m to bias[64].
template <int D>
__device__ void LoadQueries(const AttentionProblem& problem, int head,
                            int64_t first_query, const Space& space,
                            uint8_t* to, float* bias) {
  const int row = threadIdx.x % 128 / 2;
  const int64_t query = first_query + row;
  const float* q =
      problem.q + query * problem.q_token_stride + head * problem.q_head_stride;
  const bool exists = query < problem.queries;
  const int begin = threadIdx.x % 2 * (D / 2);
  float dot = 0;
  for (int channel = begin; channel < begin + D / 2; channel += kOctet) {
    float x[kOctet] = {};
    if (exists && !space.none()) {
      RotateOctet<D>(space, q, channel, x);
#pragma unroll
      for (int i = 0; i < kOctet; ++i) {
        dot = fmaf(q[channel + i], space.mean[channel + i], dot);
      }
    } else if (exists) {
#pragma unroll
      for (int i = 0; i < kOctet; ++i) x[i] = q[channel + i];
    }
    uint8_t* tile = to + channel / kTileRow * (kItemQueries * 128);
    *reinterpret_cast<uint4*>(
        tile + Swizzled(row, channel % kTileRow / kOctet)) = PackOctet(x);
  }
  dot += __shfl_xor_sync(0xffffffffu, dot, 1);
  if (threadIdx.x % 2 == 0) bias[row] = dot;
}

// Channels c and c + 1 of the columns of thread t % 4, for every 8 of them, of
// A x (`kTransposed`: A^T (x - sum m)), x a row in device memory.
template <int D, bool kTransposed>
__device__ void TurnRow(const Space& space, const float* x, float sum,
                        float* out) {
  const int column = threadIdx.x % 4 * 2;
#pragma unroll
  for (int j = 0; j < D / 8; ++j) {
    out[4 * j] = kTransposed ? 0 : sum * space.mean[8 * j + column];
    out[4 * j + 1] = kTransposed ? 0 : sum * space.mean[8 * j + column + 1];
  }
  for (int i = 0; i < D; ++i) {
    const float value = kTransposed ? x[i] - sum * space.mean[i] : x[i];
#pragma unroll
    for (int j = 0; j < D / 8; ++j) {
      const int c = 8 * j + column;
      const float a0 = space.rotation[kTransposed ? i * D + c : c * D + i];
      const float a1 =
          space.rotation[kTransposed ? i * D + c + 1 : (c + 1) * D + i];
      out[4 * j] = fmaf(a0, value, out[4 * j]);
      out[4 * j + 1] = fmaf(a1, value, out[4 * j + 1]);
    }
  }
}

// Moves a thread's sums of weighted values, out[D/2] of rows r and r + 8, from
// one space to another. scratch[r] is each row's place in device memory, null
// where there is no query; the warp's threads of a row use it together.
template <int D>
__device__ void MoveSums(const Space& from, const Space& to, float* out,
                         const float* sum, float* const* scratch) {
  if (from == to) return;
  const Space* turns[2] = {&from, &to};
  for (int turn = 0; turn < 2; ++turn) {
    if (turns[turn]->none()) continue;
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float total = sum[r] + __shfl_xor_sync(0xffffffffu, sum[r], 1) +
                          __shfl_xor_sync(0xffffffffu, sum[r], 2) +
                          __shfl_xor_sync(0xffffffffu, sum[r], 3);
      if (scratch[r] != nullptr) {
#pragma unroll
        for (int i = 2 * r; i < D / 2; i += 4) {
          float* x = scratch[r] + i / 4 * 8 + threadIdx.x % 4 * 2;
          x[0] = out[i];
          x[1] = out[i + 1];
        }
      }
      __syncwarp();
      if (scratch[r] != nullptr && turn == 0) {
        TurnRow<D, false>(from, scratch[r], total, out + 2 * r);
      } else if (scratch[r] != nullptr) {
        TurnRow<D, true>(to, scratch[r], total, out + 2 * r);
      }
      __syncwarp();
    }
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_ATTENTION_SPACES_CUH_
