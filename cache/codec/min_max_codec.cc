#include "cache/codec/min_max_codec.h"

#include "cache/codec/codec_util.h"
#include "kernels/dispatch.h"
#include "kernels/workspace.h"

namespace qvg {
namespace {

using kernels::CodecDescriptor;
using kernels::Executor;
using kernels::GroupAxis;
using kernels::KvSegment;
using kernels::MinMaxArgs;
using kernels::PackedTensor;
using kernels::WorkspaceCutter;

// Bytes of one tensor by part.
struct Sizes {
  int64_t rows, codes, groups;

  int64_t total() const { return rows + codes + 2 * groups; }
};

class MinMaxCodec : public Codec {
 public:
  // Descriptors of keys and values, without head dim. A block of 0 is the head
  // dim.
  MinMaxCodec(const CodecDescriptor& keys, const CodecDescriptor& values)
      : codecs_{keys, values} {}

  int64_t SpanBytes(const SpanShape& shape) const override {
    return shape.layers * LayerBytes(shape);
  }

  size_t WorkspaceBytes(const SpanShape& shape,
                        const Executor&) const override {
    WorkspaceCutter cutter;
    cutter.Take<uint16_t>(shape.tokens * shape.heads * shape.head_dim);
    return cutter.bytes();
  }

  absl::Status Encode(const SpanShape& shape,
                      absl::Span<const KvSegment> layers, uint64_t seed,
                      absl::Span<uint8_t> out, absl::Span<uint8_t> workspace,
                      const Executor& executor) const override;

  KvSegment View(const SpanShape& shape, int layer,
                 absl::Span<const uint8_t> bytes) const override;

 private:
  CodecDescriptor Descriptor(const SpanShape& shape, int tensor) const;
  Sizes SizesOf(const SpanShape& shape, int tensor) const;
  int64_t LayerBytes(const SpanShape& shape) const;
  MinMaxArgs Locate(const SpanShape& shape, int layer, int tensor,
                    uint8_t* span) const;

  CodecDescriptor codecs_[2];
};

CodecDescriptor MinMaxCodec::Descriptor(const SpanShape& shape,
                                        int tensor) const {
  CodecDescriptor codec = codecs_[tensor];
  codec.encoding = kernels::Encoding::kMinMax;
  codec.head_dim = shape.head_dim;
  if (codec.block == 0) codec.block = shape.head_dim;
  return codec;
}

Sizes MinMaxCodec::SizesOf(const SpanShape& shape, int tensor) const {
  const CodecDescriptor codec = Descriptor(shape, tensor);
  const int64_t grouped = kernels::GroupedTokens(codec, shape.tokens);
  const int64_t row = int64_t{shape.heads} * shape.head_dim;
  constexpr int64_t kElement = sizeof(uint16_t);
  return {(shape.tokens - grouped) * row * kElement,
          grouped * shape.heads * kernels::CodeBytes(codec),
          grouped * row / codec.block * kElement};
}

int64_t MinMaxCodec::LayerBytes(const SpanShape& shape) const {
  return SizesOf(shape, 0).total() + SizesOf(shape, 1).total();
}

// Codes are multiples of 16 bytes and groups of 4 in a layer, so codes are
// aligned to 4 bytes in all layers.
MinMaxArgs MinMaxCodec::Locate(const SpanShape& shape, int layer, int tensor,
                               uint8_t* span) const {
  const Sizes keys = SizesOf(shape, 0);
  const Sizes values = SizesOf(shape, 1);
  uint8_t* next = span + layer * LayerBytes(shape);
  const auto take = [&](int64_t Sizes::*part) {
    uint8_t* bytes = tensor == 0 ? next : next + keys.*part;
    next += keys.*part + values.*part;
    return bytes;
  };
  MinMaxArgs args;
  args.codec = Descriptor(shape, tensor);
  args.rows = reinterpret_cast<uint16_t*>(take(&Sizes::rows));
  args.codes = take(&Sizes::codes);
  args.half_scales = reinterpret_cast<uint16_t*>(take(&Sizes::groups));
  args.half_zeros = reinterpret_cast<uint16_t*>(take(&Sizes::groups));
  return args;
}

KvSegment MinMaxCodec::View(const SpanShape& shape, int layer,
                            absl::Span<const uint8_t> bytes) const {
  const auto view = [&](int tensor) {
    // Views only read.
    const MinMaxArgs args =
        Locate(shape, layer, tensor, const_cast<uint8_t*>(bytes.data()));
    PackedTensor packed;
    packed.codec = args.codec;
    packed.heads = shape.heads;
    packed.tokens = shape.tokens;
    packed.values = args.rows;
    packed.token_stride = int64_t{shape.heads} * shape.head_dim;
    packed.head_stride = shape.head_dim;
    packed.codes = args.codes;
    packed.half_scales = args.half_scales;
    packed.half_zeros = args.half_zeros;
    return packed;
  };
  return {view(0), view(1)};
}

absl::Status MinMaxCodec::Encode(const SpanShape& shape,
                                 absl::Span<const KvSegment> layers,
                                 uint64_t /*seed*/, absl::Span<uint8_t> out,
                                 absl::Span<uint8_t> workspace,
                                 const Executor& executor) const {
  absl::Status status = CheckMemory(out, SpanBytes(shape), workspace,
                                    WorkspaceBytes(shape, executor));
  if (status.ok()) status = CheckSource(shape, layers);
  WorkspaceCutter cutter(workspace.data());
  auto* points =
      cutter.Take<uint16_t>(shape.tokens * shape.heads * shape.head_dim);
  for (int i = 0; status.ok() && i < 2 * shape.layers; ++i) {
    const PackedTensor& rows = TensorOf(layers[i / 2], i % 2);
    MinMaxArgs args = Locate(shape, i / 2, i % 2, out.data());
    args.points = {points, shape.heads, shape.tokens, shape.head_dim};
    kernels::Error error =
        kernels::DecodeRows(rows, 0, shape.tokens, points, executor);
    if (error.ok()) error = kernels::EncodeMinMax(args, executor);
    status = ToStatus(error);
  }
  return status;
}

}  // namespace

std::unique_ptr<Codec> MakeKiviCodec(int bits, int block) {
  CodecDescriptor values;
  values.bits = bits;
  values.block = block;
  CodecDescriptor keys = values;
  keys.axis = GroupAxis::kToken;
  return std::make_unique<MinMaxCodec>(keys, values);
}

std::unique_ptr<Codec> MakeQuarotCodec(int bits) {
  CodecDescriptor codec;
  codec.bits = bits;
  codec.hadamard = true;
  return std::make_unique<MinMaxCodec>(codec, codec);
}

}  // namespace qvg
