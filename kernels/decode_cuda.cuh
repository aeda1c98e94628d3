#ifndef KERNELS_DECODE_CUDA_CUH_
#define KERNELS_DECODE_CUDA_CUH_

#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <cstdint>

#include "kernels/packed_tensor.h"

// The one tile decoder, on the device: eight channels of one token at a time,
// whatever the encoding.
namespace qvg::kernels::device {

inline constexpr int kOctet = 8;

__device__ inline float E4M3(uint8_t bits) {
  return __half2float(__half(__nv_cvt_fp8_to_halfraw(bits, __NV_E4M3)));
}

__device__ inline float2 BFloat16Pair(uint32_t bits) {
  return make_float2(__uint_as_float(bits << 16),
                     __uint_as_float(bits & 0xffff0000u));
}

__device__ inline void AddBFloat16Octet(const uint16_t* from, float* out) {
  const uint4 bits = *reinterpret_cast<const uint4*>(from);
  const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = BFloat16Pair(words[i]);
    out[2 * i] += pair.x;
    out[2 * i + 1] += pair.y;
  }
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

__device__ inline void DecodeResidualOctet(const PackedTensor& t, int head,
                                           int64_t token, int channel,
                                           float* out) {
  const CodecDescriptor& codec = t.codec;
  const int dim = codec.head_dim;
  const int64_t row = token * t.heads + head;
  const int64_t block = (row * dim + channel) / codec.block;
  const uint32_t word =
      CodeWord(t.codes, codec.bits, (row * dim + channel) / kOctet);
  const float scale = E4M3(t.scales[block]);
  const float bias =
      codec.asymmetric ? 0.0f : static_cast<float>((1 << (codec.bits - 1)) - 1);
  const float zero = codec.asymmetric ? E4M3(t.zeros[block]) : 0.0f;
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    const uint32_t code = (word << (codec.bits * i)) >> (32 - codec.bits);
    out[i] = __fadd_rn(__fmul_rn(static_cast<float>(code) - bias, scale), zero);
  }
  for (int s = 0; s < codec.stages; ++s) {
    const int64_t stage = int64_t{s} * t.heads + head;
    const int id = t.ids[stage * t.tokens + token];
    AddBFloat16Octet(
        t.centroids + (stage * codec.centroids + id) * dim + channel, out);
  }
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    out[i] = __bfloat162float(__float2bfloat16_rn(out[i]));
  }
}

// In the space of the codebook: neither rotated nor shifted by the mean.
__device__ inline void DecodeProductOctet(const PackedTensor& t, int head,
                                          int64_t token, int channel,
                                          float* out) {
  const int dim = t.codec.head_dim;
  const int width = dim / t.codec.parts;
  const int64_t row = token * t.heads + head;
  const uint8_t* codes = t.codes + row * t.codec.parts;
  const float scale = E4M3(t.scales[row]);
  const float* book = t.tables.codebook + int64_t{head} * kProductEntries * dim;
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    const int part = (channel + i) / width;
    const int64_t entry = int64_t{part} * kProductEntries + codes[part];
    out[i] = scale * book[entry * width + (channel + i) % width];
  }
}

// Channels [channel, channel + 8) of a token, 8 a divisor of `channel`. Rows of
// kF32 and kBf16 may lie off every alignment.
__device__ inline void DecodeOctet(const PackedTensor& t, int head,
                                   int64_t token, int channel, float* out) {
  const int64_t at = token * t.token_stride + head * t.head_stride + channel;
  switch (t.codec.encoding) {
    case Encoding::kF32:
#pragma unroll
      for (int i = 0; i < kOctet; ++i) {
        out[i] = static_cast<const float*>(t.values)[at + i];
      }
      return;
    case Encoding::kBf16:
#pragma unroll
      for (int i = 0; i < kOctet; ++i) {
        out[i] = __uint_as_float(
            uint32_t{static_cast<const uint16_t*>(t.values)[at + i]} << 16);
      }
      return;
    case Encoding::kResidual:
      return DecodeResidualOctet(t, head, token, channel, out);
    case Encoding::kProduct:
      return DecodeProductOctet(t, head, token, channel, out);
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_DECODE_CUDA_CUH_
