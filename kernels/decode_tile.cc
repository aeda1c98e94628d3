#include "kernels/decode_tile.h"

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
  if (t.tokens > 0 && codec.asymmetric && t.zeros == nullptr) {
    return Error::Invalid("zeros: null");
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

}  // namespace qvg::kernels
