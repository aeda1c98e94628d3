#include "cache/codec/opq_codec.h"

#include "absl/strings/str_cat.h"
#include "cache/codec/codec_util.h"
#include "kernels/dispatch.h"

namespace qvg {
namespace {

using kernels::KvSegment;
using kernels::PackedTensor;

class OpqCodec : public Codec {
 public:
  explicit OpqCodec(const OpqTables* tables) : tables_(tables) {}

  int64_t SpanBytes(const SpanShape& shape) const override {
    return shape.layers * LayerBytes(shape);
  }

  size_t WorkspaceBytes(const SpanShape& shape,
                        const kernels::Executor& executor) const override {
    kernels::ProductArgs args;
    args.rows.codec.head_dim = shape.head_dim;
    args.rows.heads = shape.heads;
    args.rows.tokens = shape.tokens;
    args.parts = tables_->parts();
    return kernels::ProductWorkspaceBytes(args, executor);
  }

  absl::Status Encode(const SpanShape& shape,
                      absl::Span<const KvSegment> layers, uint64_t seed,
                      absl::Span<uint8_t> out, absl::Span<uint8_t> workspace,
                      const kernels::Executor& executor) const override;

  KvSegment View(const SpanShape& shape, int layer,
                 absl::Span<const uint8_t> bytes) const override {
    return {ViewTensor(shape, layer, 0, bytes.data()),
            ViewTensor(shape, layer, 1, bytes.data())};
  }

 private:
  absl::Status CheckShape(const SpanShape& shape) const;

  int64_t CodeBytes(const SpanShape& shape) const {
    return shape.tokens * shape.heads * tables_->parts();
  }
  int64_t ScaleBytes(const SpanShape& shape) const {
    return shape.tokens * shape.heads;
  }
  int64_t LayerBytes(const SpanShape& shape) const {
    return 2 * (CodeBytes(shape) + ScaleBytes(shape));
  }
  // Offsets in the span: keys' codes, values' codes, keys' scales, values'.
  int64_t CodesAt(const SpanShape& shape, int layer, int tensor) const {
    return layer * LayerBytes(shape) + tensor * CodeBytes(shape);
  }
  int64_t ScalesAt(const SpanShape& shape, int layer, int tensor) const {
    return layer * LayerBytes(shape) + 2 * CodeBytes(shape) +
           tensor * ScaleBytes(shape);
  }

  PackedTensor ViewTensor(const SpanShape& shape, int layer, int tensor,
                          const uint8_t* span) const;

  const OpqTables* tables_;
};

absl::Status OpqCodec::CheckShape(const SpanShape& shape) const {
  if (shape.layers == tables_->layers() && shape.heads == tables_->heads() &&
      shape.head_dim == tables_->head_dim()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "layers: ", shape.layers, " of ", shape.heads, " heads of ",
      shape.head_dim, "; the codebooks are for ", tables_->layers(), " of ",
      tables_->heads(), " heads of ", tables_->head_dim()));
}

absl::Status OpqCodec::Encode(const SpanShape& shape,
                              absl::Span<const KvSegment> layers,
                              uint64_t /*seed*/, absl::Span<uint8_t> out,
                              absl::Span<uint8_t> workspace,
                              const kernels::Executor& executor) const {
  if (tables_->memory() != executor.memory().kind) {
    return absl::InternalError("executor: runs where the codebooks are not");
  }
  absl::Status status = CheckShape(shape);
  if (status.ok()) {
    status = CheckMemory(out, SpanBytes(shape), workspace,
                         WorkspaceBytes(shape, executor));
  }
  if (status.ok()) status = CheckSource(shape, layers);
  for (int i = 0; status.ok() && i < 2 * shape.layers; ++i) {
    const int layer = i / 2;
    const int tensor = i % 2;
    kernels::ProductArgs args;
    args.rows = TensorOf(layers[layer], tensor);
    args.parts = tables_->parts();
    args.tables = tables_->View(layer, tensor);
    args.codes = out.data() + CodesAt(shape, layer, tensor);
    args.scales = out.data() + ScalesAt(shape, layer, tensor);
    status = ToStatus(kernels::EncodeProduct(args, workspace.data(),
                                             workspace.size(), executor));
  }
  return status;
}

PackedTensor OpqCodec::ViewTensor(const SpanShape& shape, int layer, int tensor,
                                  const uint8_t* span) const {
  PackedTensor view;
  view.codec.encoding = kernels::Encoding::kProduct;
  view.codec.head_dim = shape.head_dim;
  view.codec.parts = tables_->parts();
  view.heads = shape.heads;
  view.tokens = shape.tokens;
  view.codes = span + CodesAt(shape, layer, tensor);
  view.scales = span + ScalesAt(shape, layer, tensor);
  view.tables = tables_->View(layer, tensor);
  return view;
}

}  // namespace

std::unique_ptr<Codec> MakeOpqCodec(const OpqTables* tables) {
  return std::make_unique<OpqCodec>(tables);
}

}  // namespace qvg
