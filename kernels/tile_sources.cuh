#ifndef KERNELS_TILE_SOURCES_CUH_
#define KERNELS_TILE_SOURCES_CUH_

#include <cstdint>

#include "kernels/coded_sources.cuh"
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
  static constexpr int kBatch = 1;
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

// One entry of the matrix that turns what is coded into what is stored.
template <int D>
__device__ float TurnEntry(const PackedTensor& t, int head, int row,
                           int column) {
  if (t.codec.encoding == Encoding::kProduct) {
    return t.tables.rotation[(int64_t{head} * D + row) * D + column];
  }
  constexpr float kEntry = D == 64    ? 0.125f
                           : D == 256 ? 0.0625f
                                      : 0x1.6a09e6p-4f;  // 1 / sqrt(D)
  return __popc(row & column) % 2 == 0 ? kEntry : -kEntry;
}

// kProduct, and kMinMax times the Hadamard matrix, as stored: D times the work
// of other sources, and small rather than fast.
template <int D>
__device__ uint4 StoredOctet(const PackedTensor& t, int head, int64_t token,
                             int channel) {
  float out[kOctet];
#pragma unroll
  for (int j = 0; j < kOctet; ++j) {
    out[j] = t.codec.encoding == Encoding::kProduct
                 ? t.tables.mean[head * D + channel + j]
                 : 0;
  }
#pragma unroll 1
  for (int c = 0; c < D; c += kOctet) {
    float x[kOctet];
    DecodeOctet(t, head, token, c, x);
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
#pragma unroll
      for (int j = 0; j < kOctet; ++j) {
        out[j] = fmaf(TurnEntry<D>(t, head, channel + j, c + i), x[i], out[j]);
      }
    }
  }
  return PackOctet(out);
}

template <int D>
struct StoredSource : AnySource<D> {
  __device__ uint4 Finish(const typename AnySource<D>::Loaded& at,
                          const typename AnySource<D>::Followed&) const {
    return StoredOctet<D>(this->tensor, this->head, this->first + at.row,
                          at.channel);
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

__device__ inline bool IsAligned(const PackedTensor& t) {
  return ((reinterpret_cast<uintptr_t>(t.values) & 15) | (t.token_stride & 7) |
          (t.head_stride & 7)) == 0;
}

__device__ inline bool IsPlainResidual(const CodecDescriptor& codec, int bits) {
  return codec.encoding == Encoding::kResidual && codec.stages == 1 &&
         codec.bits == bits && !codec.asymmetric && !codec.four_levels &&
         !codec.trits;
}

// Calls use(source) with the fastest source for the tensor's rows from token
// `first` on; kProduct in the space of its codebook.
template <int D, typename Use>
__device__ void WithSource(const PackedTensor& t, int head, int64_t first,
                           const Use& use) {
  const CodecDescriptor& codec = t.codec;
  const int64_t at = first * t.token_stride + head * t.head_stride;
  if (codec.encoding == Encoding::kBf16 && IsAligned(t)) {
    use(BFloat16Source{static_cast<const uint16_t*>(t.values) + at,
                       t.token_stride});
  } else if (codec.encoding == Encoding::kF32 && IsAligned(t)) {
    use(FloatSource{static_cast<const float*>(t.values) + at, t.token_stride});
  } else if (IsPlainResidual(codec, 2)) {
    use(ResidualSource<D, 2>(t, head, first));
  } else if (IsPlainResidual(codec, 4)) {
    use(ResidualSource<D, 4>(t, head, first));
  } else if (codec.encoding == Encoding::kProduct && codec.parts * 4 == D) {
    use(ProductSource<D>(t, head, first));
  } else if (codec.hadamard) {
    use(StoredSource<D>{t, head, first});
  } else {
    use(AnySource<D>{t, head, first});
  }
}

// The same for rows as stored, of fewer encodings fast.
template <int D, typename Use>
__device__ void WithStoredSource(const PackedTensor& t, int head, int64_t first,
                                 const Use& use) {
  const CodecDescriptor& codec = t.codec;
  if (codec.encoding == Encoding::kBf16 && IsAligned(t)) {
    use(BFloat16Source{static_cast<const uint16_t*>(t.values) +
                           first * t.token_stride + head * t.head_stride,
                       t.token_stride});
  } else if (IsPlainResidual(codec, 2)) {
    use(ResidualSource<D, 2>(t, head, first));
  } else if (codec.encoding == Encoding::kProduct || codec.hadamard) {
    use(StoredSource<D>{t, head, first});
  } else {
    use(AnySource<D>{t, head, first});
  }
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_TILE_SOURCES_CUH_
