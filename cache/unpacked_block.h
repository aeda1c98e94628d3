#ifndef CACHE_UNPACKED_BLOCK_H_
#define CACHE_UNPACKED_BLOCK_H_

#include <cstdint>

#include "absl/types/span.h"
#include "cache/cache_spec.h"
#include "cache/codec/codec.h"
#include "kernels/dispatch.h"
#include "kernels/packed_tensor.h"

namespace qvg {

kernels::Encoding EncodingOf(ElementType type);

// How unpacked keys and values lie in memory: [layer][K, V][token][head][D].
struct UnpackedBlock {
  SpanShape shape;
  ElementType type = ElementType::kBf16;

  int64_t bytes() const;

  // Tokens [first, first + tokens) of layer `layer` in a block at `data`.
  kernels::KvSegment View(const uint8_t* data, int layer, int64_t first,
                          int64_t tokens) const;

  // What copies keys (tensor 0) or values (1) to the tokens from `first` on.
  kernels::TokenCopy CopyOf(const kernels::PackedTensor& from, int layer,
                            int tensor, int64_t first, uint8_t* data) const;

 private:
  int64_t Offset(int layer, int tensor, int64_t token) const;  // bytes
  kernels::PackedTensor Tensor(const uint8_t* rows, int64_t tokens) const;
};

// What `tokens` tokens of K and V in `layers` layers take as BF16.
int64_t Bf16Bytes(int layers, int heads, int head_dim, int64_t tokens);

}  // namespace qvg

#endif  // CACHE_UNPACKED_BLOCK_H_
