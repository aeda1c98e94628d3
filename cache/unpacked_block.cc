#include "cache/unpacked_block.h"

namespace qvg {
namespace {

int64_t ElementBytes(ElementType type) {
  return type == ElementType::kF32 ? 4 : 2;
}

}  // namespace

kernels::Encoding EncodingOf(ElementType type) {
  return type == ElementType::kF32 ? kernels::Encoding::kF32
                                   : kernels::Encoding::kBf16;
}

int64_t UnpackedBlock::bytes() const { return Offset(shape.layers, 0, 0); }

int64_t UnpackedBlock::Offset(int layer, int tensor, int64_t token) const {
  const int64_t row = int64_t{shape.heads} * shape.head_dim;
  const int64_t tokens = (2 * int64_t{layer} + tensor) * shape.tokens + token;
  return tokens * row * ElementBytes(type);
}

kernels::PackedTensor UnpackedBlock::Tensor(const uint8_t* rows,
                                            int64_t tokens) const {
  kernels::PackedTensor tensor;
  tensor.codec.encoding = EncodingOf(type);
  tensor.codec.head_dim = shape.head_dim;
  tensor.heads = shape.heads;
  tensor.tokens = tokens;
  tensor.values = rows;
  tensor.token_stride = int64_t{shape.heads} * shape.head_dim;
  tensor.head_stride = shape.head_dim;
  return tensor;
}

kernels::KvSegment UnpackedBlock::View(const uint8_t* data, int layer,
                                       int64_t first, int64_t tokens) const {
  return {Tensor(data + Offset(layer, 0, first), tokens),
          Tensor(data + Offset(layer, 1, first), tokens)};
}

kernels::TokenCopy UnpackedBlock::CopyOf(const kernels::PackedTensor& from,
                                         int layer, int tensor, int64_t first,
                                         uint8_t* data) const {
  return {from, EncodingOf(type), data + Offset(layer, tensor, first)};
}

int64_t Bf16Bytes(int layers, int heads, int head_dim, int64_t tokens) {
  return 2 * int64_t{layers} * heads * head_dim * tokens * 2;
}

}  // namespace qvg
