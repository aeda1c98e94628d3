#include "kernels/decode_tile.h"

#include <algorithm>
#include <cstring>

#include "kernels/numeric.h"

namespace qvg::kernels {
namespace {

Error CheckRows(const PackedTensor& t) {
  if (t.tokens > 0 && t.values == nullptr) {
    return Error::Invalid("values: null");
  }
  return Error::Ok();
}

Error CheckResidual(const PackedTensor& t) {
  const CodecDescriptor& codec = t.codec;
  if (codec.bits != 2 && codec.bits != 4) {
    return Error::Invalid("bits: must be 2 or 4");
  }
  if (codec.block != 16 && codec.block != 32 && codec.block != 64) {
    return Error::Invalid("block: must be 16, 32 or 64");
  }
  if (codec.stages < 0 || codec.stages > 4) {
    return Error::Invalid("stages: must be 0 to 4");
  }
  if (codec.stages > 0 && (codec.centroids < 1 || codec.centroids > 256)) {
    return Error::Invalid("centroids: must be 1 to 256");
  }
  if (t.tokens > 0 && (t.codes == nullptr || t.scales == nullptr)) {
    return Error::Invalid("codes, scales: null");
  }
  if (t.tokens > 0 && codec.stages > 0 &&
      (t.ids == nullptr || t.centroids == nullptr)) {
    return Error::Invalid("ids, centroids: null");
  }
  return Error::Ok();
}

Error CheckProduct(const PackedTensor& t) {
  if (t.codec.parts < 1 || t.codec.head_dim % t.codec.parts != 0) {
    return Error::Invalid("parts: must divide head_dim");
  }
  if (t.tokens == 0) return Error::Ok();
  if (t.codes == nullptr || t.scales == nullptr) {
    return Error::Invalid("codes, scales: null");
  }
  if (t.tables.rotation == nullptr || t.tables.mean == nullptr ||
      t.tables.codebook == nullptr) {
    return Error::Invalid("tables: null");
  }
  return Error::Ok();
}

template <typename T>
const T* Row(const PackedTensor& t, int head, int64_t token) {
  return static_cast<const T*>(t.values) + token * t.token_stride +
         head * t.head_stride;
}

int ResidualCode(const uint8_t* codes, int bits, int channel) {
  const int per_byte = 8 / bits;
  const int shift = 8 - bits * (channel % per_byte + 1);
  const int mask = (1 << bits) - 1;
  const int zero = (1 << (bits - 1)) - 1;
  return ((codes[channel / per_byte] >> shift) & mask) - zero;
}

void DecodeResidualRow(const PackedTensor& t, int head, int64_t token,
                       float* out) {
  const CodecDescriptor& codec = t.codec;
  const int dim = codec.head_dim;
  const int64_t row = token * t.heads + head;
  const uint8_t* codes = t.codes + row * (dim * codec.bits / 8);
  const uint8_t* scales = t.scales + row * (dim / codec.block);
  for (int d = 0; d < dim; ++d) {
    out[d] = static_cast<float>(ResidualCode(codes, codec.bits, d)) *
             E4M3ToFloat(scales[d / codec.block]);
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

// Channel d of the looked-up vector before scale, rotation and mean.
float ProductEntry(const PackedTensor& t, int head, const uint8_t* codes,
                   int d) {
  const int width = t.codec.head_dim / t.codec.parts;
  const int part = d / width;
  const int64_t entry =
      (int64_t{head} * t.codec.parts + part) * 256 + codes[part];
  return t.tables.codebook[entry * width + d % width];
}

void DecodeProductRow(const PackedTensor& t, int head, int64_t token,
                      float* out) {
  const int dim = t.codec.head_dim;
  const int64_t row = token * t.heads + head;
  const uint8_t* codes = t.codes + row * t.codec.parts;
  const float scale = E4M3ToFloat(t.scales[row]);
  const float* rotation = t.tables.rotation + int64_t{head} * dim * dim;
  std::copy_n(t.tables.mean + int64_t{head} * dim, dim, out);
  for (int j = 0; j < dim; ++j) {
    const float value = scale * ProductEntry(t, head, codes, j);
    for (int i = 0; i < dim; ++i) out[i] += rotation[i * dim + j] * value;
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

}  // namespace

Error Check(const PackedTensor& tensor) {
  const int dim = tensor.codec.head_dim;
  if (dim != 64 && dim != 128 && dim != 256) {
    return Error::Invalid("head_dim: must be 64, 128 or 256");
  }
  if (tensor.heads < 1) return Error::Invalid("heads: must be at least 1");
  if (tensor.tokens < 0) return Error::Invalid("tokens: must not be negative");
  switch (tensor.codec.encoding) {
    case Encoding::kF32:
    case Encoding::kBf16:
      return CheckRows(tensor);
    case Encoding::kResidual:
      return CheckResidual(tensor);
    case Encoding::kProduct:
      return CheckProduct(tensor);
  }
  return Error::Invalid("encoding: unknown");
}

void DecodeTile(const PackedTensor& tensor, int head, int64_t first,
                int64_t tokens, float* out) {
  for (int64_t i = 0; i < tokens; ++i) {
    DecodeRow(tensor, head, first + i, out + i * tensor.codec.head_dim);
  }
}

}  // namespace qvg::kernels
