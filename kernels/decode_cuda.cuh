#ifndef KERNELS_DECODE_CUDA_CUH_
#define KERNELS_DECODE_CUDA_CUH_

#include <cstdint>

#include "kernels/decode_codes_cuda.cuh"
#include "kernels/octet_cuda.cuh"
#include "kernels/packed_tensor.h"

// The one tile decoder, on the device: eight channels of one token at a time,
// whatever the encoding.
namespace qvg::kernels::device {

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

__device__ inline void DecodeResidualOctet(const PackedTensor& t, int head,
                                           int64_t token, int channel,
                                           float* out) {
  const CodecDescriptor& codec = t.codec;
  const int dim = codec.head_dim;
  const int64_t row = token * t.heads + head;
  StoredOctet(t, row, channel, out);
  LevelsOctet(t, (row * dim + channel) >> (__ffs(codec.block) - 1), out);
  for (int s = 0; s < codec.stages; ++s) {
    const int64_t stage = int64_t{s} * t.heads + head;
    const int id = t.ids[stage * t.tokens + token];
    AddBFloat16Octet(
        t.centroids + (stage * codec.centroids + id) * dim + channel, out);
  }
  RoundOctet(out);
}

// In the space of the codebook: neither rotated nor shifted by the mean.
__device__ inline void DecodeProductOctet(const PackedTensor& t, int head,
                                          int64_t token, int channel,
                                          float* out) {
  const int dim = t.codec.head_dim;
  const int shift = __ffs(dim) - __ffs(t.codec.parts);  // of an entry's width
  const int64_t row = token * t.heads + head;
  const uint8_t* codes = t.codes + row * t.codec.parts;
  const float scale = E4M3(t.scales[row]);
  const float* book = t.tables.codebook + int64_t{head} * kProductEntries * dim;
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    const int part = (channel + i) >> shift;
    const int64_t entry = int64_t{part} * kProductEntries + codes[part];
    out[i] = scale * book[(entry << shift) + channel + i - (part << shift)];
  }
}

__device__ inline void DecodeBFloat16Octet(const PackedTensor& t, int head,
                                           int64_t token, int channel,
                                           float* out) {
  const auto* values = static_cast<const uint16_t*>(t.values) +
                       token * t.token_stride + head * t.head_stride + channel;
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    out[i] = __uint_as_float(uint32_t{values[i]} << 16);
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
      return DecodeBFloat16Octet(t, head, token, channel, out);
    case Encoding::kResidual:
      return DecodeResidualOctet(t, head, token, channel, out);
    case Encoding::kProduct:
      return DecodeProductOctet(t, head, token, channel, out);
    case Encoding::kMinMax: {
      const int64_t grouped = GroupedTokens(t.codec, t.tokens);
      if (token < grouped) {
        return DecodeMinMaxOctet(t, head, token, channel, out);
      }
      return DecodeBFloat16Octet(t, head, token - grouped, channel, out);
    }
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_DECODE_CUDA_CUH_
