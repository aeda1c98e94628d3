#ifndef KERNELS_DECODE_CODES_CUDA_CUH_
#define KERNELS_DECODE_CODES_CUDA_CUH_

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>

#include "kernels/packed_tensor.h"

// Codes and what they stand for, on the device, eight channels at a time.
namespace qvg::kernels::device {

inline constexpr int kOctet = 8;

__device__ inline float E4M3(uint8_t bits) {
  return __half2float(__half(__nv_cvt_fp8_to_halfraw(bits, __NV_E4M3)));
}

// Codes of eight channels, first in the highest bits.
__device__ inline uint32_t CodeWord(const uint8_t* codes, int bits,
                                    int64_t octet) {
  if (bits == 2) {
    const uint16_t word = reinterpret_cast<const uint16_t*>(codes)[octet];
    return __byte_perm(word, 0, 0x0144) & 0xffff0000u;
  }
  const uint32_t word = reinterpret_cast<const uint32_t*>(codes)[octet];
  return __byte_perm(word, 0, 0x0123);
}

// The stored codes of eight channels of one row (token and head).
__device__ inline void StoredOctet(const PackedTensor& t, int64_t row,
                                   int channel, float* out) {
  const CodecDescriptor& codec = t.codec;
  if (codec.trits) {
    const uint8_t* codes = t.codes + row * CodeBytes(codec);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      out[i] =
          static_cast<float>(Trit(codes[(channel + i) / 5], (channel + i) % 5));
    }
    return;
  }
  const uint32_t word =
      CodeWord(t.codes, codec.bits, (row * codec.head_dim + channel) / kOctet);
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    out[i] =
        static_cast<float>((word << (codec.bits * i)) >> (32 - codec.bits));
  }
}

// What stored codes of one block stand for.
__device__ inline void LevelsOctet(const PackedTensor& t, int64_t block,
                                   float* out) {
  const CodecDescriptor& codec = t.codec;
  const uint8_t pattern = t.scales[block];
  if (codec.four_levels) {
    const float scale = E4M3(pattern & 0x7f);
    const float inner = FourLevelRatio(pattern) * scale;
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      const bool outer = out[i] == 0 || out[i] == 3;
      out[i] = copysignf(outer ? scale : inner, out[i] - 1.5f);
    }
    return;
  }
  const float scale = E4M3(pattern);
  const float bias =
      codec.asymmetric ? 0.0f : static_cast<float>((1 << (codec.bits - 1)) - 1);
  const float zero = codec.asymmetric ? E4M3(t.zeros[block]) : 0.0f;
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    out[i] = __fadd_rn(__fmul_rn(out[i] - bias, scale), zero);
  }
}

__device__ inline void RoundOctet(float* out) {
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    out[i] = __bfloat162float(__float2bfloat16_rn(out[i]));
  }
}

__device__ inline float HalfOf(uint16_t bits) {
  return __half2float(__ushort_as_half(bits));
}

// With `hadamard` neither rotated back nor rounded: that takes the whole row.
__device__ inline void DecodeMinMaxOctet(const PackedTensor& t, int head,
                                         int64_t token, int channel,
                                         float* out) {
  const CodecDescriptor& codec = t.codec;
  const int dim = codec.head_dim;
  const bool along_tokens = codec.axis == GroupAxis::kToken;
  const int64_t row = token * t.heads + head;
  const int64_t group =
      along_tokens ? (token / codec.block * t.heads + head) * dim + channel
                   : (row * dim + channel) / codec.block;
  StoredOctet(t, row, channel, out);
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    const int64_t at = group + (along_tokens ? i : 0);
    out[i] = __fadd_rn(__fmul_rn(out[i], HalfOf(t.half_scales[at])),
                       HalfOf(t.half_zeros[at]));
  }
  if (!codec.hadamard) RoundOctet(out);
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_DECODE_CODES_CUDA_CUH_
