#include "cache/codec/unpacked_codec.h"

#include "cache/codec/codec_util.h"
#include "cache/unpacked_block.h"

namespace qvg {
namespace {

class UnpackedCodec : public Codec {
 public:
  explicit UnpackedCodec(ElementType type) : type_(type) {}

  int64_t SpanBytes(const SpanShape& shape) const override {
    return Block(shape).bytes();
  }

  size_t WorkspaceBytes(const SpanShape&,
                        const kernels::ParallelFor&) const override {
    return 0;
  }

  absl::Status Encode(const SpanShape& shape,
                      absl::Span<const kernels::KvSegment> layers,
                      uint64_t /*seed*/, absl::Span<uint8_t> out,
                      absl::Span<uint8_t> workspace,
                      kernels::ParallelFor& parallel_for) const override {
    absl::Status status = CheckMemory(out, SpanBytes(shape), workspace, 0);
    if (status.ok()) status = CheckSource(shape, layers, parallel_for);
    if (!status.ok()) return status;
    const UnpackedBlock block = Block(shape);
    parallel_for(2 * shape.layers, [&](int64_t i, int) {
      const int layer = static_cast<int>(i / 2);
      const int tensor = static_cast<int>(i % 2);
      block.Store(TensorOf(layers[layer], tensor), layer, tensor, 0,
                  out.data());
    });
    return absl::OkStatus();
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
