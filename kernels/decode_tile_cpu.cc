#include "kernels/decode_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/decode_tile_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <array>
#include <cstring>

#include "hwy/highway.h"
#include "kernels/hadamard.h"
#include "kernels/numeric.h"
#include "kernels/simd_numeric-inl.h"

#ifndef KERNELS_DECODE_TILE_CPU_ONCE_
#define KERNELS_DECODE_TILE_CPU_ONCE_
namespace qvg::kernels::internal {

// The five trits of every byte, and three zeros to store eight at once.
inline constexpr std::array<std::array<uint8_t, 8>, 256> kTrits = [] {
  std::array<std::array<uint8_t, 8>, 256> trits{};
  for (int byte = 0; byte < 256; ++byte) {
    for (int i = 0; i < 5; ++i) {
      trits[byte][i] =
          static_cast<uint8_t>(Trit(static_cast<uint8_t>(byte), i));
    }
  }
  return trits;
}();

// How stored codes become multiples of the scale.
enum class Grid { kSymmetric, kAsymmetric, kFourLevels };

}  // namespace qvg::kernels::internal
#endif  // KERNELS_DECODE_TILE_CPU_ONCE_

HWY_BEFORE_NAMESPACE();
namespace qvg::kernels {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

void DecodeTileTarget(const PackedTensor& tensor, int head, int64_t first,
                      int64_t tokens, float* out) {
  DecodeTileReference(tensor, head, first, tokens, out);
}

#else

namespace hn = hwy::HWY_NAMESPACE;
using internal::Grid;

// Reads codes of kBits bits, one vector of channels at a time: the bytes that
// hold them are copied to every lane and shifted by what the lane's channel
// needs.
template <int kBits>
class CodeReader {
 public:
  CodeReader() {
    constexpr int kPerByte = 8 / kBits;
    for (int i = 0; i < kLanes; ++i) {
      const int byte = i / kPerByte;
      shifts_[i] = 8 * (byte % 4) + 8 - kBits * (i % kPerByte + 1);
    }
  }

  void Start(const uint8_t* codes) { codes_ = codes; }

  // The stored codes of channels [channel, channel + kLanes).
  VecF32 Read(int channel) const {
    constexpr TagF32 df;
    constexpr hn::RebindToUnsigned<TagF32> du;
    constexpr hn::RebindToSigned<TagF32> di;
    const auto shifted =
        hn::Shr(Broadcast(codes_ + channel * kBits / 8), hn::Load(du, shifts_));
    const auto code = hn::And(shifted, hn::Set(du, (1u << kBits) - 1));
    return hn::ConvertTo(df, hn::BitCast(di, code));
  }

 private:
  static auto Broadcast(const uint8_t* bytes) {
    constexpr hn::RebindToUnsigned<TagF32> du;
    constexpr size_t kBytes = kLanes * kBits / 8;
    uint64_t word = 0;
    std::memcpy(&word, bytes, kBytes);
    const auto low = hn::Set(du, static_cast<uint32_t>(word));
    if constexpr (kBytes <= 4) {
      return low;
    } else {
      const auto high = hn::Set(du, static_cast<uint32_t>(word >> 32));
      return hn::IfThenElse(hn::FirstN(du, 32 / kBits), low, high);
    }
  }

  HWY_ALIGN uint32_t shifts_[kLanes];
  const uint8_t* codes_ = nullptr;
};

// The same for trits: a row is unpacked to bytes first.
class TritReader {
 public:
  explicit TritReader(int dim) : bytes_((dim + 4) / 5) {}

  void Start(const uint8_t* codes) {
    for (int i = 0; i < bytes_; ++i) {
      std::memcpy(stored_ + 5 * i, internal::kTrits[codes[i]].data(), 8);
    }
  }

  VecF32 Read(int channel) const {
    constexpr hn::Rebind<uint8_t, TagF32> d8;
    constexpr hn::RebindToSigned<TagF32> di;
    const auto bytes = hn::LoadU(d8, stored_ + channel);
    return hn::ConvertTo(TagF32(), hn::PromoteTo(di, bytes));
  }

 private:
  int bytes_;
  uint8_t stored_[kMaxHeadDim + 8];
};

// What one row is made of.
struct ResidualRow {
  ResidualRow(const PackedTensor& t, int head, int64_t token) {
    const int dim = t.codec.head_dim;
    const int64_t row = token * t.heads + head;
    codes = t.codes + row * CodeBytes(t.codec);
    scales = t.scales + row * (dim / t.codec.block);
    zeros = t.zeros + (t.codec.asymmetric ? row * (dim / t.codec.block) : 0);
    for (int s = 0; s < t.codec.stages; ++s) {
      const int64_t stage = int64_t{s} * t.heads + head;
      const int id = t.ids[stage * t.tokens + token];
      centroids[s] = t.centroids + (stage * t.codec.centroids + id) * dim;
    }
  }

  const uint8_t* codes;
  const uint8_t* scales;
  const uint8_t* zeros;
  const uint16_t* centroids[kMaxStages];
};

// What stored codes of one block stand for; `bias` is that of kSymmetric.
template <Grid kGrid>
HWY_INLINE VecF32 Levels(const ResidualRow& row, int block, VecF32 bias,
                         VecF32 stored) {
  constexpr TagF32 df;
  const uint8_t pattern = row.scales[block];
  if constexpr (kGrid == Grid::kFourLevels) {
    const auto centred = hn::Sub(stored, hn::Set(df, 1.5f));
    const auto outer = hn::Gt(hn::Abs(centred), hn::Set(df, 1.0f));
    const float scale = kE4M3Values[pattern & 0x7f];
    const auto level =
        hn::IfThenElse(outer, hn::Set(df, scale),
                       hn::Set(df, FourLevelRatio(pattern) * scale));
    return hn::CopySign(level, centred);
  }
  const auto scale = hn::Set(df, kE4M3Values[pattern]);
  if constexpr (kGrid == Grid::kAsymmetric) {
    const auto zero = hn::Set(df, kE4M3Values[row.zeros[block]]);
    return hn::Add(hn::Mul(stored, scale), zero);
  }
  return hn::Mul(hn::Sub(stored, bias), scale);
}

template <Grid kGrid, typename Reader>
void DecodeResidual(const PackedTensor& t, int head, int64_t first,
                    int64_t tokens, Reader reader, float* out) {
  constexpr TagF32 df;
  const auto bias =
      hn::Set(df, static_cast<float>((1 << (t.codec.bits - 1)) - 1));
  for (int64_t i = 0; i < tokens; ++i) {
    const ResidualRow row(t, head, first + i);
    reader.Start(row.codes);
    for (int d = 0; d < t.codec.head_dim; d += kLanes, out += kLanes) {
      const int block = d / t.codec.block;
      auto value = Levels<kGrid>(row, block, bias, reader.Read(d));
      for (int s = 0; s < t.codec.stages; ++s) {
        value = hn::Add(value, LoadBFloat16(row.centroids[s] + d));
      }
      hn::StoreU(RoundToBFloat16(value), df, out);
    }
  }
}

template <int kBits>
void DecodeBits(const PackedTensor& t, int head, int64_t first, int64_t tokens,
                float* out) {
  const CodeReader<kBits> reader;
  if (t.codec.asymmetric) {
    DecodeResidual<Grid::kAsymmetric>(t, head, first, tokens, reader, out);
  } else {
    DecodeResidual<Grid::kSymmetric>(t, head, first, tokens, reader, out);
  }
}

void DecodeResidual(const PackedTensor& t, int head, int64_t first,
                    int64_t tokens, float* out) {
  if (t.codec.trits) {
    const TritReader reader(t.codec.head_dim);
    DecodeResidual<Grid::kSymmetric>(t, head, first, tokens, reader, out);
  } else if (t.codec.four_levels) {
    const CodeReader<2> reader;
    DecodeResidual<Grid::kFourLevels>(t, head, first, tokens, reader, out);
  } else if (t.codec.bits == 2) {
    DecodeBits<2>(t, head, first, tokens, out);
  } else {
    DecodeBits<4>(t, head, first, tokens, out);
  }
}

// FP16 numbers of kLanes channels from `d` on: one each for groups along
// tokens, one for all of them for groups of `block` channels.
HWY_INLINE VecF32 LoadGroups(const CodecDescriptor& codec,
                             const uint16_t* halves, int d) {
  constexpr TagF32 df;
  if (codec.axis == GroupAxis::kChannel) {
    return hn::Set(df, HalfToFloat(halves[d / codec.block]));
  }
  constexpr hn::Rebind<uint16_t, TagF32> d16;
  constexpr hn::Rebind<hwy::float16_t, TagF32> dh;
  return hn::PromoteTo(df, hn::BitCast(dh, hn::LoadU(d16, halves + d)));
}

template <int kBits>
void DecodeMinMax(const PackedTensor& t, int head, int64_t first,
                  int64_t tokens, float* out) {
  constexpr TagF32 df;
  CodeReader<kBits> reader;
  const CodecDescriptor& codec = t.codec;
  const int dim = codec.head_dim;
  const bool along_tokens = codec.axis == GroupAxis::kToken;
  for (int64_t i = first; i < first + tokens; ++i, out += dim) {
    const int64_t row = i * t.heads + head;
    const int64_t group = along_tokens
                              ? (i / codec.block * t.heads + head) * dim
                              : row * (dim / codec.block);
    reader.Start(t.codes + row * CodeBytes(codec));
    for (int d = 0; d < dim; d += kLanes) {
      const auto scale = LoadGroups(codec, t.half_scales + group, d);
      const auto zero = LoadGroups(codec, t.half_zeros + group, d);
      hn::StoreU(hn::Add(hn::Mul(reader.Read(d), scale), zero), df, out + d);
    }
    if (codec.hadamard) Hadamard(dim, out);
    for (int d = 0; d < dim; d += kLanes) {
      hn::StoreU(RoundToBFloat16(hn::LoadU(df, out + d)), df, out + d);
    }
  }
}

// Scaled entries, not yet rotated.
void DecodeProduct(const PackedTensor& t, int head, int64_t first,
                   int64_t tokens, float* out) {
  const int dim = t.codec.head_dim;
  const int width = dim / t.codec.parts;
  for (int64_t i = 0; i < tokens; ++i) {
    const int64_t row = (first + i) * t.heads + head;
    const uint8_t* codes = t.codes + row * t.codec.parts;
    const float scale = kE4M3Values[t.scales[row]];
    const float* book =
        t.tables.codebook + int64_t{head} * kProductEntries * dim;
    for (int p = 0; p < t.codec.parts; ++p, book += kProductEntries * width) {
      const float* entry = book + codes[p] * width;
      for (int w = 0; w < width; ++w) *out++ = scale * entry[w];
    }
  }
}

void DecodeBFloat16(const PackedTensor& t, int head, int64_t first,
                    int64_t tokens, float* out) {
  const int dim = t.codec.head_dim;
  const uint16_t* row = static_cast<const uint16_t*>(t.values) +
                        first * t.token_stride + head * t.head_stride;
  for (int64_t i = 0; i < tokens; ++i, row += t.token_stride) {
    for (int d = 0; d < dim; d += kLanes, out += kLanes) {
      hn::StoreU(LoadBFloat16(row + d), TagF32(), out);
    }
  }
}

// Whole groups first, then the BF16 rows after them.
void DecodeMinMax(const PackedTensor& t, int head, int64_t first,
                  int64_t tokens, float* out) {
  const int64_t grouped = GroupedTokens(t.codec, t.tokens);
  const int64_t end = first + tokens;
  const int64_t middle = std::clamp(grouped, first, end);
  const auto decode = t.codec.bits == 2 ? &DecodeMinMax<2> : &DecodeMinMax<4>;
  decode(t, head, first, middle - first, out);
  if (middle == end) return;
  DecodeBFloat16(t, head, middle - grouped, end - middle,
                 out + (middle - first) * t.codec.head_dim);
}

// row = rotation * row + mean, in place.
void RotateRow(const float* rotation, const float* mean, int dim, float* row) {
  constexpr TagF32 df;
  HWY_ALIGN float source[kMaxHeadDim];
  std::copy_n(row, dim, source);
  for (int i = 0; i < dim; ++i, rotation += dim) {
    auto even = hn::Zero(df);
    auto odd = hn::Zero(df);
    for (int j = 0; j < dim; j += 2 * kLanes) {
      const int k = j + kLanes;
      even = hn::MulAdd(hn::LoadU(df, rotation + j), hn::Load(df, source + j),
                        even);
      odd = hn::MulAdd(hn::LoadU(df, rotation + k), hn::Load(df, source + k),
                       odd);
    }
    row[i] = mean[i] + hn::GetLane(hn::SumOfLanes(df, hn::Add(even, odd)));
  }
}

void RotateTile(const ProductTables& tables, int dim, int head, int64_t tokens,
                float* out) {
  const float* rotation = tables.rotation + int64_t{head} * dim * dim;
  const float* mean = tables.mean + int64_t{head} * dim;
  for (int64_t i = 0; i < tokens; ++i) {
    RotateRow(rotation, mean, dim, out + i * dim);
  }
}

void DecodeTileTarget(const PackedTensor& t, int head, int64_t first,
                      int64_t tokens, float* out) {
  switch (t.codec.encoding) {
    case Encoding::kF32:
      return DecodeTileReference(t, head, first, tokens, out);
    case Encoding::kBf16:
      return DecodeBFloat16(t, head, first, tokens, out);
    case Encoding::kResidual:
      return DecodeResidual(t, head, first, tokens, out);
    case Encoding::kProduct:
      DecodeProduct(t, head, first, tokens, out);
      return RotateTile(t.tables, t.codec.head_dim, head, tokens, out);
    case Encoding::kMinMax:
      return DecodeMinMax(t, head, first, tokens, out);
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace qvg::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qvg::kernels {

HWY_EXPORT(DecodeTileTarget);

void DecodeTile(const PackedTensor& tensor, int head, int64_t first,
                int64_t tokens, float* out) {
  HWY_DYNAMIC_DISPATCH(DecodeTileTarget)(tensor, head, first, tokens, out);
}

}  // namespace qvg::kernels
#endif  // HWY_ONCE
