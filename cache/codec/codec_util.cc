#include "cache/codec/codec_util.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kernels/copy_tokens.h"
#include "kernels/decode_tile.h"

namespace qvg {
namespace {

using kernels::Encoding;
using kernels::PackedTensor;

std::string TensorName(int64_t index) {
  return absl::StrCat("layers[", index / 2, "].",
                      index % 2 == 0 ? "keys" : "values");
}

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

absl::Status ToStatus(const kernels::Error& error) {
  return error.ok() ? absl::OkStatus() : absl::InternalError(error.message);
}

absl::Status CheckSource(const SpanShape& shape,
                         absl::Span<const kernels::KvSegment> layers,
                         kernels::ParallelFor& parallel_for) {
  if (static_cast<int>(layers.size()) != shape.layers) {
    return absl::InvalidArgumentError(
        absl::StrCat("layers: ", layers.size(), "; must be ", shape.layers));
  }
  const auto tensor = [&](int64_t i) -> const PackedTensor& {
    return TensorOf(layers[i / 2], static_cast<int>(i % 2));
  };
  std::vector<uint8_t> finite(2 * layers.size());
  for (size_t i = 0; i < finite.size(); ++i) {
    const absl::Status status = CheckTensor(shape, tensor(i));
    if (status.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(TensorName(i), ": ", status.message()));
  }
  parallel_for(finite.size(), [&](int64_t i, int) {
    finite[i] = kernels::AllFinite(tensor(i)) ? 1 : 0;
  });
  const auto bad = std::find(finite.begin(), finite.end(), uint8_t{0});
  if (bad == finite.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(TensorName(bad - finite.begin()), ": NaN or infinity"));
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
