#ifndef KERNELS_OCTET_CUDA_CUH_
#define KERNELS_OCTET_CUDA_CUH_

#include <cuda_bf16.h>

#include <cstdint>

// Arithmetic on eight BF16 numbers that lie in 16 bytes.
namespace qvg::kernels::device {

__device__ inline __nv_bfloat162 AsPair(uint32_t bits) {
  return *reinterpret_cast<const __nv_bfloat162*>(&bits);
}

__device__ inline uint32_t AsBits(__nv_bfloat162 pair) {
  return *reinterpret_cast<const uint32_t*>(&pair);
}

// The difference of two BF16 numbers, rounded once, is what rounding to FP32
// first gives too: a subtrahend small enough to be rounded by FP32 is far too
// small to bring the other number near the middle of two BF16 numbers.
__device__ inline uint32_t Subtract(uint32_t a, uint32_t b) {
  return AsBits(__hsub2(AsPair(a), AsPair(b)));
}

__device__ inline uint4 Subtract(uint4 a, uint4 b) {
  return make_uint4(Subtract(a.x, b.x), Subtract(a.y, b.y), Subtract(a.z, b.z),
                    Subtract(a.w, b.w));
}

__device__ inline uint32_t Saturate(uint32_t pair) {
  const __nv_bfloat162 largest = AsPair(0x7f7f7f7fu);
  return AsBits(__hmax2(__hneg2(largest), __hmin2(largest, AsPair(pair))));
}

__device__ inline uint4 SubtractSaturated(uint4 a, uint4 b) {
  const uint4 d = Subtract(a, b);
  return make_uint4(Saturate(d.x), Saturate(d.y), Saturate(d.z), Saturate(d.w));
}

// Rounded to BF16.
__device__ inline uint32_t PackBFloat16(float low, float high) {
  return AsBits(__floats2bfloat162_rn(low, high));
}

__device__ inline uint4 PackOctet(const float* x) {
  return {PackBFloat16(x[0], x[1]), PackBFloat16(x[2], x[3]),
          PackBFloat16(x[4], x[5]), PackBFloat16(x[6], x[7])};
}

// The same; not to be read again soon.
__device__ inline void StoreOctet(const float* values, uint16_t* out) {
  __stcs(reinterpret_cast<uint4*>(out), PackOctet(values));
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_OCTET_CUDA_CUH_
