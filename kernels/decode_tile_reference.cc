#include <algorithm>
#include <cstring>

#include "kernels/decode_tile.h"
#include "kernels/hadamard.h"
#include "kernels/numeric.h"

namespace qvg::kernels {
namespace {

template <typename T>
const T* Row(const PackedTensor& t, int head, int64_t token) {
  return static_cast<const T*>(t.values) + token * t.token_stride +
         head * t.head_stride;
}

int StoredCode(const uint8_t* codes, int bits, int channel) {
  const int per_byte = 8 / bits;
  const int shift = 8 - bits * (channel % per_byte + 1);
  return (codes[channel / per_byte] >> shift) & ((1 << bits) - 1);
}

// What one code of kResidual stands for, without zero point and centroids.
float ResidualLevel(const CodecDescriptor& codec, const uint8_t* codes,
                    int channel, uint8_t scale) {
  if (codec.trits) {
    return static_cast<float>(Trit(codes[channel / 5], channel % 5) - 1) *
           E4M3ToFloat(scale);
  }
  const int stored = StoredCode(codes, codec.bits, channel);
  if (codec.four_levels) {
    const float ratio = stored == 0 || stored == 3 ? 1 : FourLevelRatio(scale);
    return (stored < 2 ? -ratio : ratio) * E4M3ToFloat(scale & 0x7f);
  }
  const int bias = codec.asymmetric ? 0 : (1 << (codec.bits - 1)) - 1;
  return static_cast<float>(stored - bias) * E4M3ToFloat(scale);
}

void DecodeResidualRow(const PackedTensor& t, int head, int64_t token,
                       float* out) {
  const CodecDescriptor& codec = t.codec;
  const int dim = codec.head_dim;
  const int64_t row = token * t.heads + head;
  const uint8_t* codes = t.codes + row * CodeBytes(codec);
  for (int d = 0; d < dim; ++d) {
    const int64_t block = row * (dim / codec.block) + d / codec.block;
    out[d] = ResidualLevel(codec, codes, d, t.scales[block]);
    if (codec.asymmetric) out[d] += E4M3ToFloat(t.zeros[block]);
  }
  for (int s = 0; s < codec.stages; ++s) {
    const int64_t stage = int64_t{s} * t.heads + head;
    const int id = t.ids[stage * t.tokens + token];
    const uint16_t* centroid =
        t.centroids + (stage * codec.centroids + id) * dim;
    for (int d = 0; d < dim; ++d) out[d] += BFloat16ToFloat(centroid[d]);
  }
  for (int d = 0; d < dim; ++d) out[d] = RoundToBFloat16(out[d]);
}

void DecodeProductRow(const PackedTensor& t, int head, int64_t token,
                      float* out) {
  const int width = t.codec.head_dim / t.codec.parts;
  const int64_t row = token * t.heads + head;
  const uint8_t* codes = t.codes + row * t.codec.parts;
  const float scale = E4M3ToFloat(t.scales[row]);
  const float* book =
      t.tables.codebook + int64_t{head} * 256 * t.codec.head_dim;
  for (int d = 0; d < t.codec.head_dim; ++d) {
    const int part = d / width;
    out[d] =
        scale * book[(int64_t{part} * 256 + codes[part]) * width + d % width];
  }
}

void DecodeMinMaxRow(const PackedTensor& t, int head, int64_t token,
                     float* out) {
  const CodecDescriptor& codec = t.codec;
  const int dim = codec.head_dim;
  const int64_t grouped = GroupedTokens(codec, t.tokens);
  if (token >= grouped) {
    const uint16_t* row = Row<uint16_t>(t, head, token - grouped);
    std::transform(row, row + dim, out, BFloat16ToFloat);
    return;
  }
  const int64_t row = token * t.heads + head;
  const uint8_t* codes = t.codes + row * CodeBytes(codec);
  for (int d = 0; d < dim; ++d) {
    const int64_t group = codec.axis == GroupAxis::kToken
                              ? (token / codec.block * t.heads + head) * dim + d
                              : (row * dim + d) / codec.block;
    const float code = static_cast<float>(StoredCode(codes, codec.bits, d));
    out[d] = code * HalfToFloat(t.half_scales[group]) +
             HalfToFloat(t.half_zeros[group]);
  }
  if (codec.hadamard) Hadamard(dim, out);
  for (int d = 0; d < dim; ++d) out[d] = RoundToBFloat16(out[d]);
}

void DecodeRow(const PackedTensor& t, int head, int64_t token, float* out) {
  const int dim = t.codec.head_dim;
  switch (t.codec.encoding) {
    case Encoding::kF32:
      std::memcpy(out, Row<float>(t, head, token), dim * sizeof(float));
      return;
    case Encoding::kBf16:
      std::transform(Row<uint16_t>(t, head, token),
                     Row<uint16_t>(t, head, token) + dim, out, BFloat16ToFloat);
      return;
    case Encoding::kResidual:
      return DecodeResidualRow(t, head, token, out);
    case Encoding::kProduct:
      return DecodeProductRow(t, head, token, out);
    case Encoding::kMinMax:
      return DecodeMinMaxRow(t, head, token, out);
  }
}

// row = rotation * row + mean, in place.
void RotateRow(const ProductTables& tables, int dim, int head, float* row) {
  const float* rotation = tables.rotation + int64_t{head} * dim * dim;
  const float* mean = tables.mean + int64_t{head} * dim;
  float rotated[kMaxHeadDim];
  for (int i = 0; i < dim; ++i) {
    rotated[i] = mean[i];
    for (int j = 0; j < dim; ++j) rotated[i] += rotation[i * dim + j] * row[j];
  }
  std::copy_n(rotated, dim, row);
}

}  // namespace

void DecodeTileReference(const PackedTensor& tensor, int head, int64_t first,
                         int64_t tokens, float* out) {
  const int dim = tensor.codec.head_dim;
  for (int64_t i = 0; i < tokens; ++i, out += dim) {
    DecodeRow(tensor, head, first + i, out);
    if (tensor.codec.encoding == Encoding::kProduct) {
      RotateRow(tensor.tables, dim, head, out);
    }
  }
}

}  // namespace qvg::kernels
