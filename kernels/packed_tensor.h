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
};

// The description of a stored tensor that drives the one tile decoder. Fields
// that an encoding does not use are 0.
struct CodecDescriptor {
  Encoding encoding = Encoding::kBf16;
  int head_dim = 0;  // D: 64, 128 or 256
  int bits = 0;      // kResidual: 2 or 4
  // kResidual: codes count up from a zero point of their block (min-max)
  // instead of lying on both sides of 0.
  bool asymmetric = false;
  int block = 0;      // kResidual: B, channels per scale: 16, 32 or 64
  int stages = 0;     // kResidual: S, 0 to 4
  int centroids = 0;  // kResidual: K, per stage and head: 1 to 256
  int parts = 0;      // kProduct: P, sub-vectors of D / P channels
};

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
  // h*head_stride + d], strides in elements.
  const void* values = nullptr;
  int64_t token_stride = 0;
  int64_t head_stride = 0;
  // kResidual: [T,H,D*bits/8], first channel in the highest bits, stored as
  // code + 2^(bits-1) - 1, asymmetric ones as they are. kProduct: [T,H,P].
  const uint8_t* codes = nullptr;
  // E4M3FN bit patterns. kResidual: [T,H,D/B]. kProduct: [T,H].
  const uint8_t* scales = nullptr;
  const uint8_t* zeros = nullptr;       // asymmetric: as scales
  const uint8_t* ids = nullptr;         // kResidual: [S,H,T]
  const uint16_t* centroids = nullptr;  // kResidual: BF16 [S,H,K,D]
  ProductTables tables;                 // kProduct
};

// Keys and values of the same tokens.
struct KvSegment {
  PackedTensor keys;
  PackedTensor values;
};

}  // namespace qvg::kernels

#endif  // KERNELS_PACKED_TENSOR_H_
