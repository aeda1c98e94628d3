#ifndef KERNELS_QUANTIZE_CUDA_CUH_
#define KERNELS_QUANTIZE_CUDA_CUH_

#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <cstdint>

#include "kernels/octet_cuda.cuh"
#include "kernels/quantize_internal.h"

// Blocks of channels become codes, eight channels per thread. The steps are
// apart: what a block must know of its values, how lanes join that, the scale,
// the codes.
namespace qvg::kernels::device {

// Least and greatest value of a block for kMinMax, else 0 and the largest
// magnitude.
struct BlockRange {
  float low;
  float high;
};

struct BlockScale {
  uint8_t scale;
  uint8_t zero;
};

__device__ inline void UnpackOctet(uint4 octet, float* values) {
  const uint32_t words[4] = {octet.x, octet.y, octet.z, octet.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    values[2 * i] = __uint_as_float(words[i] << 16);
    values[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
  }
}

// Magnitudes of BF16 numbers are ordered as their bits are.
__device__ inline uint32_t LargestMagnitude(uint4 octet) {
  const auto larger = [](uint32_t a, uint32_t b) {
    return AsBits(__hmax2(__habs2(AsPair(a)), __habs2(AsPair(b))));
  };
  const uint32_t pair =
      larger(larger(octet.x, octet.y), larger(octet.z, octet.w));
  return max(pair & 0xffffu, pair >> 16);
}

__device__ inline BlockRange RangeOf(uint4 octet, QuantizeRule rule) {
  if (rule != QuantizeRule::kMinMax) {
    return {0, __uint_as_float(LargestMagnitude(octet) << 16)};
  }
  float values[8];
  UnpackOctet(octet, values);
  BlockRange range = {values[0], values[0]};
#pragma unroll
  for (int i = 1; i < 8; ++i) {
    range.low = fminf(range.low, values[i]);
    range.high = fmaxf(range.high, values[i]);
  }
  return range;
}

__device__ inline BlockRange Join(BlockRange a, BlockRange b) {
  return {fminf(a.low, b.low), fmaxf(a.high, b.high)};
}

// With the lane whose number differs in the bit `step`. Only kMinMax has a
// `low` of its own.
__device__ inline BlockRange JoinLanes(BlockRange range, QuantizeRule rule,
                                       int step) {
  BlockRange other = range;
  if (rule == QuantizeRule::kMinMax) {
    other.low = __shfl_xor_sync(0xffffffffu, range.low, step);
  }
  other.high = __shfl_xor_sync(0xffffffffu, range.high, step);
  return Join(range, other);
}

// FloatToE4M3, by the device's own instruction.
__device__ inline uint8_t ToE4M3(float value) {
  return __nv_cvt_float_to_fp8(value, __NV_SATFINITE, __NV_E4M3);
}

__device__ inline float FromE4M3(uint8_t bits) {
  return __half2float(__half(__nv_cvt_fp8_to_halfraw(bits, __NV_E4M3)));
}

__device__ inline BlockScale ScaleOf(BlockRange range, QuantizeRule rule,
                                     int bits) {
  switch (rule) {
    case QuantizeRule::kAbsmax:
      return {ToE4M3(bits == 2 ? range.high : __fdiv_rn(range.high, 7)), 0};
    case QuantizeRule::kRoundToNearest:
      return {internal::RoundToNearestScale(range.high, bits), 0};
    default:
      return {internal::MinMaxScale(range.low, range.high, bits),
              FloatToE4M3(range.low)};
  }
}

__device__ inline float Clamp(float value, float low, float high) {
  return fminf(fmaxf(value, low), high);
}

// The code of a value as it is stored.
__device__ inline int CodeOf(float value, QuantizeRule rule, int bits,
                             float scale, float zero) {
  const auto quotient = [scale](float v) {
    return scale == 0 ? 0.0f : __fdiv_rn(v, scale);
  };
  if (rule == QuantizeRule::kMinMax) {
    const float limit = static_cast<float>((1 << bits) - 1);
    return static_cast<int>(
        roundf(Clamp(quotient(__fsub_rn(value, zero)), 0, limit)));
  }
  const float limit = static_cast<float>(internal::LargestCode(bits));
  const float clamped = Clamp(quotient(value), -limit, limit);
  const float rounded = rule == QuantizeRule::kAbsmax
                            ? roundf(clamped)
                            : rintf(RoundToBFloat16(clamped));
  return static_cast<int>(rounded + limit);
}

// Codes of an octet, the first channel in the highest bits of the lowest byte.
__device__ __noinline__ inline uint32_t PackOctet(uint4 octet,
                                                  QuantizeRule rule, int bits,
                                                  BlockScale block) {
  const float scale = FromE4M3(block.scale);
  const float zero = FromE4M3(block.zero);
  const int per_byte = 8 / bits;
  float values[8];
  UnpackOctet(octet, values);
  uint32_t word = 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int shift = i / per_byte * 8 + 8 - bits * (i % per_byte + 1);
    word |= static_cast<uint32_t>(CodeOf(values[i], rule, bits, scale, zero))
            << shift;
  }
  return word;
}

// PackOctet for kAbsmax with two bits, whose code is +-1 from half the scale
// on. A quotient of a BF16 and an E4M3 number is half or far from it, so that
// FP32 rounding changes nothing.
__device__ inline uint32_t PackTernary(uint4 octet, uint8_t scale) {
  const uint32_t half =
      scale == 0 ? 0x7f80u : __float_as_uint(FromE4M3(scale) * 0.5f) >> 16;
  const __nv_bfloat162 high = AsPair(half | half << 16);
  const __nv_bfloat162 low = __hneg2(high);
  const uint32_t words[4] = {octet.x, octet.y, octet.z, octet.w};
  uint32_t sum = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    // Where code 0, stored as 1, has its bit; that of code 1 is one higher.
    const uint32_t first = i % 2 == 0 ? 0x00100040u : 0x00010004u;
    const uint32_t bits = first << (i / 2 * 8);
    const uint32_t above = __hge2_mask(AsPair(words[i]), high);
    const uint32_t below = __hle2_mask(AsPair(words[i]), low);
    sum |= above & bits << 1;
    sum |= ~(above | below) & bits;
  }
  return (sum | sum >> 16) & 0xffffu;
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_QUANTIZE_CUDA_CUH_
