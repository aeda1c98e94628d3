#include <algorithm>
#include <cstring>

#include "kernels/decode_tile.h"
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

void DecodeResidualRow(const PackedTensor& t, int head, int64_t token,
                       float* out) {
  const CodecDescriptor& codec = t.codec;
  const int dim = codec.head_dim;
  const int64_t row = token * t.heads + head;
  const uint8_t* codes = t.codes + row * (dim * codec.bits / 8);
  const int bias = codec.asymmetric ? 0 : (1 << (codec.bits - 1)) - 1;
  for (int d = 0; d < dim; ++d) {
    const int64_t block = row * (dim / codec.block) + d / codec.block;
    const int code = StoredCode(codes, codec.bits, d) - bias;
    out[d] = static_cast<float>(code) * E4M3ToFloat(t.scales[block]);
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
