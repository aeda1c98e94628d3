#include "kernels/decode_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/decode_tile_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <cstring>

#include "hwy/highway.h"
#include "kernels/numeric.h"
#include "kernels/simd_numeric-inl.h"

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

  // The stored codes of channels [channel, channel + kLanes).
  VecF32 Read(const uint8_t* codes, int channel) const {
    constexpr TagF32 df;
    constexpr hn::RebindToUnsigned<TagF32> du;
    constexpr hn::RebindToSigned<TagF32> di;
    const auto shifted =
        hn::Shr(Broadcast(codes + channel * kBits / 8), hn::Load(du, shifts_));
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
};

// What one row is made of.
struct ResidualRow {
  ResidualRow(const PackedTensor& t, int head, int64_t token) {
    const int dim = t.codec.head_dim;
    const int64_t row = token * t.heads + head;
    codes = t.codes + row * (dim * t.codec.bits / 8);
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

template <int kBits, bool kAsymmetric>
void DecodeResidual(const PackedTensor& t, int head, int64_t first,
                    int64_t tokens, float* out) {
  constexpr TagF32 df;
  const CodeReader<kBits> reader;
  const auto bias = hn::Set(df, float{(1 << (kBits - 1)) - 1});
  for (int64_t i = 0; i < tokens; ++i) {
    const ResidualRow row(t, head, first + i);
    for (int d = 0; d < t.codec.head_dim; d += kLanes, out += kLanes) {
      const int block = d / t.codec.block;
      const auto scale = hn::Set(df, kE4M3Values[row.scales[block]]);
      auto value = reader.Read(row.codes, d);
      if constexpr (kAsymmetric) {
        const auto zero = hn::Set(df, kE4M3Values[row.zeros[block]]);
        value = hn::Add(hn::Mul(value, scale), zero);
      } else {
        value = hn::Mul(hn::Sub(value, bias), scale);
      }
      for (int s = 0; s < t.codec.stages; ++s) {
        value = hn::Add(value, LoadBFloat16(row.centroids[s] + d));
      }
      hn::StoreU(RoundToBFloat16(value), df, out);
    }
  }
}

template <int kBits>
void DecodeResidual(const PackedTensor& t, int head, int64_t first,
                    int64_t tokens, float* out) {
  if (t.codec.asymmetric) {
    DecodeResidual<kBits, true>(t, head, first, tokens, out);
  } else {
    DecodeResidual<kBits, false>(t, head, first, tokens, out);
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
      return t.codec.bits == 2 ? DecodeResidual<2>(t, head, first, tokens, out)
                               : DecodeResidual<4>(t, head, first, tokens, out);
    case Encoding::kProduct:
      DecodeProduct(t, head, first, tokens, out);
      return RotateTile(t.tables, t.codec.head_dim, head, tokens, out);
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
