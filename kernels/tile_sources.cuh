#ifndef KERNELS_TILE_SOURCES_CUH_
#define KERNELS_TILE_SOURCES_CUH_

#include <cstdint>

#include "kernels/decode_cuda.cuh"
#include "kernels/packed_tensor.h"

// Where a tile's octets come from, in steps, so that a thread can have many of
// them on the way: Load reads what the place gives, Follow what that leads to,
// Finish makes eight BF16 values of both. Rows count from the tile's first
// token. A source is for one head.
namespace qvg::kernels::device {

// What any source can do with DecodeOctet, one octet after the other.
template <int D>
struct AnySource {
  static constexpr int kBatch = 2;
  struct Loaded {
    int row, channel;
  };
  struct Followed {};

  const PackedTensor& tensor;
  int head;
  int64_t first;

  __device__ Loaded Load(int row, int channel) const { return {row, channel}; }
  __device__ Followed Follow(const Loaded&, int) const { return {}; }
  __device__ uint4 Finish(const Loaded& at, const Followed&) const {
    float x[kOctet];
    DecodeOctet(tensor, head, first + at.row, at.channel, x);
    return PackOctet(x);
  }
};

// Rows of kBf16 and kF32 where every octet is aligned to 16 bytes.
struct BFloat16Source {
  static constexpr int kBatch = 8;
  using Loaded = uint4;
  struct Followed {};

  const uint16_t* rows;
  int64_t stride;

  __device__ Loaded Load(int row, int channel) const {
    return *reinterpret_cast<const uint4*>(rows + row * stride + channel);
  }
  __device__ Followed Follow(const Loaded&, int) const { return {}; }
  __device__ uint4 Finish(const Loaded& x, const Followed&) const { return x; }
};

struct FloatSource {
  static constexpr int kBatch = 4;
  struct Loaded {
    float4 x[2];
  };
  struct Followed {};

  const float* rows;
  int64_t stride;

  __device__ Loaded Load(int row, int channel) const {
    const auto* from =
        reinterpret_cast<const float4*>(rows + row * stride + channel);
    return {{from[0], from[1]}};
  }
  __device__ Followed Follow(const Loaded&, int) const { return {}; }
  __device__ uint4 Finish(const Loaded& l, const Followed&) const {
    return {PackBFloat16(l.x[0].x, l.x[0].y), PackBFloat16(l.x[0].z, l.x[0].w),
            PackBFloat16(l.x[1].x, l.x[1].y), PackBFloat16(l.x[1].z, l.x[1].w)};
  }
};

// kResidual of one stage, symmetric.
template <int D, int kBits>
struct ResidualSource {
  static constexpr int kBatch = 8;
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

// Calls use(source) with the fastest source for the tensor's rows from token
// `first` on.
template <int D, typename Use>
__device__ void WithSource(const PackedTensor& t, int head, int64_t first,
                           const Use& use) {
  const CodecDescriptor& codec = t.codec;
  const int64_t at = first * t.token_stride + head * t.head_stride;
  const bool plain = codec.encoding == Encoding::kResidual &&
                     codec.stages == 1 && !codec.asymmetric &&
                     !codec.four_levels && !codec.trits;
  const bool aligned = ((reinterpret_cast<uintptr_t>(t.values) & 15) |
                        (t.token_stride & 7) | (t.head_stride & 7)) == 0;
  if (codec.encoding == Encoding::kBf16 && aligned) {
    use(BFloat16Source{static_cast<const uint16_t*>(t.values) + at,
                       t.token_stride});
  } else if (codec.encoding == Encoding::kF32 && aligned) {
    use(FloatSource{static_cast<const float*>(t.values) + at, t.token_stride});
  } else if (plain && codec.bits == 2) {
    use(ResidualSource<D, 2>(t, head, first));
  } else if (plain && codec.bits == 4) {
    use(ResidualSource<D, 4>(t, head, first));
  } else if (codec.encoding == Encoding::kProduct && codec.parts * 4 == D) {
    use(ProductSource<D>(t, head, first));
  } else {
    use(AnySource<D>{t, head, first});
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_TILE_SOURCES_CUH_
