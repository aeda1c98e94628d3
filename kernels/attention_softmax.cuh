#ifndef KERNELS_ATTENTION_SOFTMAX_CUH_
#define KERNELS_ATTENTION_SOFTMAX_CUH_

#include <cmath>
#include <cstdint>

#include "kernels/decode_cuda.cuh"
#include "kernels/hopper.cuh"

// The online softmax of a warpgroup that keeps logits, weights and sums in
// registers, as the products on the tensor cores lay them out (wgmma.cuh).
namespace qvg::kernels::device {

inline constexpr int kWarpgroup = 128;
inline constexpr float kLog2E = 1.4426950408889634f;
inline constexpr float kLn2 = 0.6931471805599453f;

// A thread's first row of its warpgroup's 64; the other is 8 below.
__device__ inline int FirstRow() {
  return static_cast<int>(threadIdx.x % kWarpgroup / 32 * 16 +
                          threadIdx.x % 32 / 4);
}

// What a thread holds of its warpgroup's 64 queries: rows r and r + 8.
template <int D>
struct Rows {
  float out[D / 2];  // weighted sums of values, relative to `max`
  float max[2];      // of the logits so far, before the scale
  float sum[2];      // of this thread's weights
  float bias[2];     // of the logits of the phase
};

// Logits of keys past the end of a tile weigh nothing.
template <int kKeys>
__device__ void MaskEnd(float* logits, int count) {
  const int column = threadIdx.x % 4 * 2;
#pragma unroll
  for (int i = 0; i < kKeys / 2; ++i) {
    if (i / 4 * 8 + column + i % 2 >= count) logits[i] = -INFINITY;
  }
}

// Turns logits into weights, relative to the largest logit so far, and says by
// which factors earlier sums shrink. exp2(x s - m s) = exp(...) / exp(...).
template <int D, int kKeys>
__device__ void ToWeights(float* logits, float scale_log2, Rows<D>& rows,
                          float* shrink) {
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    float max = -INFINITY;
#pragma unroll
    for (int i = 2 * r; i < kKeys / 2; i += 4) {
      max = fmaxf(max, fmaxf(logits[i], logits[i + 1]));
    }
    max = fmaxf(max, __shfl_xor_sync(0xffffffffu, max, 1));
    max = fmaxf(max, __shfl_xor_sync(0xffffffffu, max, 2));
    max = fmaxf(rows.max[r], max + rows.bias[r]);
    shrink[r] = Exp2((rows.max[r] - max) * scale_log2);
    rows.max[r] = max;
    const float offset = (rows.bias[r] - max) * scale_log2;
    float sum = 0;
#pragma unroll
    for (int i = 2 * r; i < kKeys / 2; i += 4) {
      logits[i] = Exp2(fmaf(logits[i], scale_log2, offset));
      logits[i + 1] = Exp2(fmaf(logits[i + 1], scale_log2, offset));
      sum += logits[i] + logits[i + 1];
    }
    rows.sum[r] = fmaf(rows.sum[r], shrink[r], sum);
  }
}

template <int D>
__device__ void Shrink(Rows<D>& rows, const float* shrink) {
  // Most tiles hold no new maximum, for any row of the warp.
  if (__all_sync(0xffffffffu, shrink[0] == 1 && shrink[1] == 1)) return;
#pragma unroll
  for (int i = 0; i < D / 2; ++i) rows.out[i] *= shrink[i / 2 % 2];
}

// As the left operand of the next product: of 16 keys, two columns of one row
// to a word.
template <int kKeys>
__device__ void PackWeights(const float* weights, uint32_t* packed) {
#pragma unroll
  for (int i = 0; i < kKeys / 4; ++i) {
    packed[i] = PackBFloat16(weights[2 * i], weights[2 * i + 1]);
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_ATTENTION_SOFTMAX_CUH_
