#include "kernels/decode_tile.h"

#include <initializer_list>

namespace qvg::kernels {
namespace {

Error CheckRows(const PackedTensor& t) {
  if (t.tokens > 0 && t.values == nullptr) {
    return Error::Invalid("values: null");
  }
  return Error::Ok();
}

Error CheckBits(const CodecDescriptor& codec) {
  if (codec.bits == 2 || codec.bits == 4) return Error::Ok();
  return Error::Invalid("bits: must be 2 or 4");
}

// At most one of the grids and packings beside the symmetric one.
Error CheckGrid(const CodecDescriptor& codec) {
  if (int{codec.asymmetric} + int{codec.four_levels} + int{codec.trits} > 1) {
    return Error::Invalid("asymmetric, four_levels, trits: more than one");
  }
  if (codec.bits != 2 && (codec.four_levels || codec.trits)) {
    return Error::Invalid("four_levels, trits: bits must be 2");
  }
  return Error::Ok();
}

Error CheckResidual(const PackedTensor& t) {
  const CodecDescriptor& codec = t.codec;
  for (const Error error : {CheckBits(codec), CheckGrid(codec)}) {
    if (!error.ok()) return error;
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

Error CheckGroups(const CodecDescriptor& codec) {
  if (codec.axis == GroupAxis::kToken) {
    if (codec.hadamard) {
      return Error::Invalid("hadamard: groups must be of channels");
    }
    return codec.block > 0 ? Error::Ok()
                           : Error::Invalid("block: must be at least 1");
  }
  if (codec.block < 16 || codec.head_dim % codec.block != 0) {
    return Error::Invalid("block: must be at least 16 and divide head_dim");
  }
  return Error::Ok();
}

Error CheckMinMax(const PackedTensor& t) {
  for (const Error error : {CheckBits(t.codec), CheckGroups(t.codec)}) {
    if (!error.ok()) return error;
  }
  const int64_t grouped = GroupedTokens(t.codec, t.tokens);
  if (grouped > 0 && (t.codes == nullptr || t.half_scales == nullptr ||
                      t.half_zeros == nullptr)) {
    return Error::Invalid("codes, half_scales, half_zeros: null");
  }
  if (grouped < t.tokens && t.values == nullptr) {
    return Error::Invalid("values: null");
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
    case Encoding::kMinMax:
      return CheckMinMax(tensor);
  }
  return Error::Invalid("encoding: unknown");
}

}  // namespace qvg::kernels
