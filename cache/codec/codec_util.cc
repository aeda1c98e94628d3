#include "cache/codec/codec_util.h"

#include "absl/strings/str_cat.h"
#include "kernels/decode_tile.h"

namespace qvg {
namespace {

using kernels::Encoding;
using kernels::PackedTensor;

absl::Status CheckTensor(const SpanShape& shape, const PackedTensor& tensor) {
  const kernels::Error error = kernels::Check(tensor);
  if (!error.ok()) return absl::InvalidArgumentError(error.message);
  if (tensor.codec.encoding != Encoding::kF32 &&
      tensor.codec.encoding != Encoding::kBf16) {
    return absl::InvalidArgumentError("must be unpacked");
  }
  if (tensor.heads == shape.heads && tensor.codec.head_dim == shape.head_dim &&
      tensor.tokens == shape.tokens) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(tensor.tokens, " tokens of ", tensor.heads, " heads of ",
                   tensor.codec.head_dim, "; must be ", shape.tokens,
                   " tokens of ", shape.heads, " heads of ", shape.head_dim));
}

bool Aligned(absl::Span<uint8_t> bytes) {
  return reinterpret_cast<uintptr_t>(bytes.data()) % 64 == 0;
}

}  // namespace

absl::Status CheckSource(const SpanShape& shape,
                         absl::Span<const kernels::KvSegment> layers) {
  if (static_cast<int>(layers.size()) != shape.layers) {
    return absl::InvalidArgumentError(
        absl::StrCat("layers: ", layers.size(), "; must be ", shape.layers));
  }
  for (int i = 0; i < 2 * shape.layers; ++i) {
    const absl::Status status =
        CheckTensor(shape, TensorOf(layers[i / 2], i % 2));
    if (status.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(TensorName(i / 2, i % 2), ": ", status.message()));
  }
  return absl::OkStatus();
}

absl::Status CheckMemory(absl::Span<uint8_t> out, int64_t out_bytes,
                         absl::Span<uint8_t> workspace,
                         size_t workspace_bytes) {
  if (static_cast<int64_t>(out.size()) != out_bytes) {
    return absl::InternalError(
        absl::StrCat("out: ", out.size(), " bytes; must be ", out_bytes));
  }
  if (workspace.size() < workspace_bytes) {
    return absl::InternalError(absl::StrCat("workspace: ", workspace.size(),
                                            " bytes; must be at least ",
                                            workspace_bytes));
  }
  if (!Aligned(out) || !Aligned(workspace)) {
    return absl::InternalError("out, workspace: must be aligned to 64 bytes");
  }
  return absl::OkStatus();
}

}  // namespace qvg
