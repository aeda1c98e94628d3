#ifndef KERNELS_PACKED_TENSOR_H_
#define KERNELS_PACKED_TENSOR_H_

#include <cstdint>

namespace qvg::kernels {

inline constexpr int kMaxHeadDim = 256;
inline constexpr int kMaxStages = 4;
inline constexpr int kMaxCentroids = 256;
// Entries of each part of a product codebook.
inline constexpr int kProductEntries = 256;

// How token vectors are stored.
enum class Encoding : uint8_t {
  kF32,       // unpacked floats
  kBf16,      // unpacked BF16
  kResidual,  // stages of centroids + quantized residual (qvg; rtn: 0 stages)
  kProduct,   // product codebooks + one scale per token (opq)
  kMinMax,    // groups with an FP16 zero and scale each (kivi, quarot)
};

// What a group of kMinMax holds.
enum class GroupAxis : uint8_t {
  kChannel,  // consecutive channels of one token
  kToken,    // one channel of consecutive tokens
};

// The description of a stored tensor that drives the one tile decoder. Fields
// that an encoding does not use are 0.
struct CodecDescriptor {
  Encoding encoding = Encoding::kBf16;
  int head_dim = 0;  // D: 64, 128 or 256
  int bits = 0;      // kResidual, kMinMax: 2 or 4
  // kResidual: codes count up from a zero point of their block (min-max)
  // instead of lying on both sides of 0.
  bool asymmetric = false;
  // kResidual of 2 bits: stored codes 0 to 3 are -1, -r, r and 1 times the
  // magnitude of the block's scale, whose sign bit chooses r (FourLevelRatio).
  bool four_levels = false;
  // kResidual of 2 bits, neither of the above: five codes to a byte (Trit).
  bool trits = false;
  // kResidual: B, channels per scale: 16, 32 or 64. kMinMax: G, channels (16
  // to D, a divisor of it) or tokens (at least 1) per zero and scale.
  int block = 0;
  GroupAxis axis = GroupAxis::kChannel;  // kMinMax
  // kMinMax of channels: what is stored is the token times the Sylvester
  // matrix H[i][j] = (-1)^popcount(i & j) / sqrt(D), its own inverse.
  bool hadamard = false;
  int stages = 0;     // kResidual: S, 0 to 4
  int centroids = 0;  // kResidual: K, per stage and head: 1 to 256
  int parts = 0;      // kProduct: P, sub-vectors of D / P channels
};

// The inner level of four. A product with an E4M3 number is exact, and both are
// E4M3 numbers themselves.
constexpr float FourLevelRatio(uint8_t scale) {
  return scale < 0x80 ? 0x3p-4f : 0x5p-4f;
}

// Five trits v0..v4, first channel first, are the number v = 81 v0 + 27 v1 +
// 9 v2 + 3 v3 + v4 and the byte ceil(v * 256 / 243). Any byte reads as trits.
constexpr int Trit(uint8_t byte, int index) {
  int power = 1;
  for (int i = 0; i < index; ++i) power *= 3;
  return (byte * power & 0xff) * 3 >> 8;
}

// Bytes of the codes of one token of one head, for encodings with `bits`.
constexpr int CodeBytes(const CodecDescriptor& codec) {
  return codec.trits ? (codec.head_dim + 4) / 5
                     : codec.head_dim * codec.bits / 8;
}

// kMinMax: how many of T tokens are in whole groups, T'.
constexpr int64_t GroupedTokens(const CodecDescriptor& codec, int64_t tokens) {
  return codec.axis == GroupAxis::kToken ? tokens - tokens % codec.block
                                         : tokens;
}

// Model-owned tables of kProduct for one tensor (K or V) of one layer. Stored
// vector x of head h reads x = rotation[h] * (scale * looked-up) + mean[h].
struct ProductTables {
  const float* rotation = nullptr;  // [H,D,D], orthogonal, row-major
  const float* mean = nullptr;      // [H,D]
  const float* codebook = nullptr;  // [H,P,256,D/P]
};

// K or V of one layer of one span, all heads. A view: owns nothing.
struct PackedTensor {
  CodecDescriptor codec;
  int heads = 0;       // H
  int64_t tokens = 0;  // T
  // kF32, kBf16: rows; element (t,h,d) is values[t*token_stride +
  // h*head_stride + d], strides in elements. kMinMax along tokens: the last
  // T mod G tokens, as BF16 rows; the first of them is t = 0.
  const void* values = nullptr;
  int64_t token_stride = 0;
  int64_t head_stride = 0;
  // kResidual: [T,H,D*bits/8], first channel in the highest bits, stored as
  // code + 2^(bits-1) - 1, those of other than symmetric grids as they are;
  // with trits [T,H,ceil(D/5)]. kProduct: [T,H,P]. kMinMax: [T',H,D*bits/8],
  // as they are; T' is T, or along tokens T - T mod G.
  const uint8_t* codes = nullptr;
  // E4M3FN bit patterns. kResidual: [T,H,D/B]. kProduct: [T,H].
  const uint8_t* scales = nullptr;
  const uint8_t* zeros = nullptr;       // asymmetric: as scales
  const uint8_t* ids = nullptr;         // kResidual: [S,H,T]
  const uint16_t* centroids = nullptr;  // kResidual: BF16 [S,H,K,D]
  ProductTables tables;                 // kProduct
  // kMinMax: FP16, [T,H,D/G] or along tokens [T'/G,H,D]. A value is
  // code * scale (exact in FP32) + zero.
  const uint16_t* half_scales = nullptr;
  const uint16_t* half_zeros = nullptr;
};

// Keys and values of the same tokens.
struct KvSegment {
  PackedTensor keys;
  PackedTensor values;
  int64_t position = 0;  // of the first token, for rotary embeddings
};

}  // namespace qvg::kernels

#endif  // KERNELS_PACKED_TENSOR_H_
