#include "cache/codec/unpacked_codec.h"

#include <vector>

#include "cache/codec/codec_util.h"
#include "cache/unpacked_block.h"
#include "kernels/dispatch.h"

namespace qvg {
namespace {

class UnpackedCodec : public Codec {
 public:
  explicit UnpackedCodec(ElementType type) : type_(type) {}

  int64_t SpanBytes(const SpanShape& shape) const override {
    return Block(shape).bytes();
  }

  size_t WorkspaceBytes(const SpanShape&,
                        const kernels::Executor&) const override {
    return 0;
  }

  absl::Status Encode(const SpanShape& shape,
                      absl::Span<const kernels::KvSegment> layers,
                      uint64_t /*seed*/, absl::Span<uint8_t> out,
                      absl::Span<uint8_t> workspace,
                      const kernels::Executor& executor) const override {
    absl::Status status = CheckMemory(out, SpanBytes(shape), workspace, 0);
    if (status.ok()) status = CheckSource(shape, layers);
    if (!status.ok()) return status;
    std::vector<kernels::TokenCopy> copies;
    for (int i = 0; i < 2 * shape.layers; ++i) {
      copies.push_back(Block(shape).CopyOf(TensorOf(layers[i / 2], i % 2),
                                           i / 2, i % 2, 0, out.data()));
    }
    return ToStatus(kernels::CopyTokens(
        copies.data(), static_cast<int>(copies.size()), executor));
  }

  kernels::KvSegment View(const SpanShape& shape, int layer,
                          absl::Span<const uint8_t> bytes) const override {
    return Block(shape).View(bytes.data(), layer, 0, shape.tokens);
  }

 private:
  UnpackedBlock Block(const SpanShape& shape) const { return {shape, type_}; }

  ElementType type_;
};

}  // namespace

std::unique_ptr<Codec> MakeUnpackedCodec(ElementType type) {
  return std::make_unique<UnpackedCodec>(type);
}

}  // namespace qvg
