#ifndef KERNELS_CODED_SOURCES_CUH_
#define KERNELS_CODED_SOURCES_CUH_

#include <cstdint>

#include "kernels/decode_cuda.cuh"
#include "kernels/packed_tensor.h"

// Sources (tile_sources.cuh) of the encodings that sessions use by default.
namespace qvg::kernels::device {

// kResidual of one stage, symmetric.
template <int D, int kBits>
struct ResidualSource {
  static constexpr int kBatch = 6;
  struct Loaded {
    uint32_t codes;
    uint8_t scale;
    uint8_t id;
  };
  using Followed = uint4;

  const uint8_t* codes;
  const uint8_t* scales;
  const uint8_t* ids;
  const uint16_t* centroids;
  int heads;
  int block_shift;

  __device__ ResidualSource(const PackedTensor& t, int head, int64_t first)
      : codes(t.codes + (first * t.heads + head) * (D * kBits / 8)),
        scales(t.scales + (first * t.heads + head) * (D / t.codec.block)),
        ids(t.ids + head * t.tokens + first),
        centroids(t.centroids + int64_t{head} * t.codec.centroids * D),
        heads(t.heads),
        block_shift(4 + t.codec.block / 32) {}  // of 16, 32 or 64

  __device__ Loaded Load(int row, int channel) const {
    const int at = row * heads;
    return {CodeWord(codes, kBits, at * (D / kOctet) + channel / kOctet),
            scales[at * (D >> block_shift) + (channel >> block_shift)],
            ids[row]};
  }
  __device__ Followed Follow(const Loaded& loaded, int channel) const {
    return *reinterpret_cast<const uint4*>(centroids + loaded.id * D + channel);
  }
  // Counting from 2^23 turns a code into a float without a conversion. The
  // product of code and scale is exact.
  __device__ uint4 Finish(const Loaded& loaded, const uint4& centroid) const {
    constexpr float kBias = 0x1p23f + ((1 << (kBits - 1)) - 1);
    const float scale = E4M3(loaded.scale);
    const uint32_t words[4] = {centroid.x, centroid.y, centroid.z, centroid.w};
    float x[kOctet];
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      const uint32_t code = loaded.codes << (kBits * i) >> (32 - kBits);
      const float2 pair = BFloat16Pair(words[i / 2]);
      x[i] = fmaf(__uint_as_float(0x4b000000u | code) - kBias, scale,
                  i % 2 == 0 ? pair.x : pair.y);
    }
    return PackOctet(x);
  }
};

// kProduct with entries of four channels.
template <int D>
struct ProductSource {
  static constexpr int kBatch = 4;
  struct Loaded {
    uchar2 codes;
    uint8_t scale;
  };
  struct Followed {
    float4 x[2];
  };

  const uint8_t* codes;
  const uint8_t* scales;
  const float4* book;  // [D/4,256]
  int heads;

  __device__ ProductSource(const PackedTensor& t, int head, int64_t first)
      : codes(t.codes + (first * t.heads + head) * (D / 4)),
        scales(t.scales + first * t.heads + head),
        book(reinterpret_cast<const float4*>(t.tables.codebook) +
             int64_t{head} * kProductEntries * (D / 4)),
        heads(t.heads) {}

  __device__ Loaded Load(int row, int channel) const {
    const int at = row * heads;
    return {
        *reinterpret_cast<const uchar2*>(codes + at * (D / 4) + channel / 4),
        scales[at]};
  }
  __device__ Followed Follow(const Loaded& loaded, int channel) const {
    const float4* entries = book + channel / 4 * kProductEntries;
    return {
        {entries[loaded.codes.x], entries[kProductEntries + loaded.codes.y]}};
  }
  __device__ uint4 Finish(const Loaded& loaded, const Followed& f) const {
    const float g = E4M3(loaded.scale);
    return {PackBFloat16(g * f.x[0].x, g * f.x[0].y),
            PackBFloat16(g * f.x[0].z, g * f.x[0].w),
            PackBFloat16(g * f.x[1].x, g * f.x[1].y),
            PackBFloat16(g * f.x[1].z, g * f.x[1].w)};
  }
};

}  // namespace qvg::kernels::device

#endif  // KERNELS_CODED_SOURCES_CUH_
