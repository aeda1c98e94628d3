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
