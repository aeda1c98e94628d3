#include "cache/codec/residual_codec.h"

#include "cache/codec/codec_util.h"
#include "kernels/counter_random.h"
#include "kernels/dispatch.h"
#include "kernels/workspace.h"

namespace qvg {
namespace {

using kernels::CodecDescriptor;
using kernels::KmeansArgs;
using kernels::KvSegment;
using kernels::PackedTensor;
using kernels::Points;
using kernels::QuantizeRule;
using kernels::WorkspaceCutter;

// The bytes of one tensor, and where they are.
struct TensorBytes {
  uint16_t* centroids;  // [S,H,K,D]
  uint8_t* codes;       // [T,H,CodeBytes]
  uint8_t* scales;      // [T,H,D/B]
  uint8_t* zeros;       // as scales; none if symmetric
  uint8_t* ids;         // [S,H,T]
};

class ResidualCodec : public Codec {
 public:
  explicit ResidualCodec(const ResidualOptions& options) : options_(options) {}

  int64_t SpanBytes(const SpanShape& shape) const override {
    if (shape.layers == 0) return 0;
    return (shape.layers - 1) * LayerStride(shape) + LayerBytes(shape);
  }

  size_t WorkspaceBytes(const SpanShape& shape,
                        const kernels::Executor& executor) const override;

  absl::Status Encode(const SpanShape& shape,
                      absl::Span<const KvSegment> layers, uint64_t seed,
                      absl::Span<uint8_t> out, absl::Span<uint8_t> workspace,
                      const kernels::Executor& executor) const override;

  KvSegment View(const SpanShape& shape, int layer,
                 absl::Span<const uint8_t> bytes) const override;

 private:
  // Bytes of one tensor by part, in the order in which they lie in a layer:
  // there each is followed by the same part of the other tensor.
  struct Sizes {
    int64_t centroids, codes, scales, zeros, ids;
  };

  CodecDescriptor Descriptor(const SpanShape& shape) const;
  Sizes SizesOf(const SpanShape& shape) const;
  int64_t LayerBytes(const SpanShape& shape) const;
  int64_t LayerStride(const SpanShape& shape) const;
  TensorBytes Locate(const SpanShape& shape, int layer, int tensor,
                     uint8_t* span) const;
  PackedTensor ViewTensor(const SpanShape& shape,
                          const TensorBytes& bytes) const;
  KmeansArgs StageArgs(const Points& points, int stage,
                       const TensorBytes& bytes) const;
  absl::Status EncodeTensor(const PackedTensor& rows, uint64_t seed,
                            const TensorBytes& bytes,
                            absl::Span<uint8_t> workspace,
                            const kernels::Executor& executor) const;
  kernels::Error EncodeStage(const Points& points, int stage, uint64_t seed,
                             const TensorBytes& bytes,
                             absl::Span<uint8_t> workspace,
                             const kernels::Executor& executor) const;
  kernels::Error EncodeResidual(const Points& points, const TensorBytes& bytes,
                                const kernels::Executor& executor) const;

  ResidualOptions options_;
};

CodecDescriptor ResidualCodec::Descriptor(const SpanShape& shape) const {
  CodecDescriptor codec;
  codec.encoding = kernels::Encoding::kResidual;
  codec.head_dim = shape.head_dim;
  codec.bits = options_.bits;
  codec.asymmetric = options_.rule == QuantizeRule::kMinMax;
  codec.four_levels = kernels::HasFourLevels(options_.rule);
  codec.trits = options_.trits;
  codec.block = options_.block;
  codec.stages = options_.stages;
  codec.centroids = options_.centroids;
  return codec;
}

ResidualCodec::Sizes ResidualCodec::SizesOf(const SpanShape& shape) const {
  const CodecDescriptor codec = Descriptor(shape);
  const int64_t rows = shape.tokens * shape.heads;
  const int64_t vectors = int64_t{codec.stages} * shape.heads * codec.centroids;
  Sizes sizes;
  sizes.centroids = vectors * shape.head_dim * int64_t{sizeof(uint16_t)};
  sizes.codes = rows * kernels::CodeBytes(codec);
  sizes.scales = rows * shape.head_dim / codec.block;
  sizes.zeros = codec.asymmetric ? sizes.scales : 0;
  sizes.ids = rows * codec.stages;
  return sizes;
}

int64_t ResidualCodec::LayerBytes(const SpanShape& shape) const {
  const Sizes sizes = SizesOf(shape);
  return 2 * (sizes.centroids + sizes.codes + sizes.scales + sizes.zeros +
              sizes.ids);
}

// Devices load 16 bytes of a centroid, and 4 of codes, at once.
int64_t ResidualCodec::LayerStride(const SpanShape& shape) const {
  constexpr int64_t kAlignment = 16;
  return (LayerBytes(shape) + kAlignment - 1) / kAlignment * kAlignment;
}

TensorBytes ResidualCodec::Locate(const SpanShape& shape, int layer, int tensor,
                                  uint8_t* span) const {
  const Sizes sizes = SizesOf(shape);
  uint8_t* next = span + layer * LayerStride(shape);
  const auto take = [&](int64_t size) {
    uint8_t* part = next + tensor * size;
    next += 2 * size;
    return part;
  };
  TensorBytes bytes;
  bytes.centroids = reinterpret_cast<uint16_t*>(take(sizes.centroids));
  bytes.codes = take(sizes.codes);
  bytes.scales = take(sizes.scales);
  bytes.zeros = take(sizes.zeros);
  bytes.ids = take(sizes.ids);
  return bytes;
}

PackedTensor ResidualCodec::ViewTensor(const SpanShape& shape,
                                       const TensorBytes& bytes) const {
  PackedTensor tensor;
  tensor.codec = Descriptor(shape);
  tensor.heads = shape.heads;
  tensor.tokens = shape.tokens;
  tensor.codes = bytes.codes;
  tensor.scales = bytes.scales;
  if (tensor.codec.asymmetric) tensor.zeros = bytes.zeros;
  if (tensor.codec.stages > 0) {
    tensor.ids = bytes.ids;
    tensor.centroids = bytes.centroids;
  }
  return tensor;
}

KvSegment ResidualCodec::View(const SpanShape& shape, int layer,
                              absl::Span<const uint8_t> bytes) const {
  // Views only read.
  auto* span = const_cast<uint8_t*>(bytes.data());
  return {ViewTensor(shape, Locate(shape, layer, 0, span)),
          ViewTensor(shape, Locate(shape, layer, 1, span))};
}

KmeansArgs ResidualCodec::StageArgs(const Points& points, int stage,
                                    const TensorBytes& bytes) const {
  const int64_t head = int64_t{stage} * points.heads;
  KmeansArgs args;
  args.points = points;
  args.clusters = options_.centroids;
  args.centroids = bytes.centroids + head * options_.centroids * points.dim;
  args.labels = bytes.ids + head * points.tokens;
  return args;
}

size_t ResidualCodec::WorkspaceBytes(const SpanShape& shape,
                                     const kernels::Executor& executor) const {
  WorkspaceCutter cutter;
  cutter.Take<uint16_t>(shape.tokens * shape.heads * shape.head_dim);
  if (options_.stages > 0) {
    KmeansArgs args;
    args.points = {nullptr, shape.heads, shape.tokens, shape.head_dim};
    args.clusters = options_.centroids;
    cutter.Take<uint8_t>(
        static_cast<int64_t>(kernels::KmeansWorkspaceBytes(args, executor)));
  }
  return cutter.bytes();
}

kernels::Error ResidualCodec::EncodeStage(
    const Points& points, int stage, uint64_t seed, const TensorBytes& bytes,
    absl::Span<uint8_t> workspace, const kernels::Executor& executor) const {
  const KmeansArgs args = StageArgs(points, stage, bytes);
  kernels::Error error =
      kernels::KmeansDraw(args, kernels::RandomBits(seed, stage), executor);
  if (error.ok()) {
    error = kernels::Kmeans(args, options_.iterations, workspace.data(),
                            workspace.size(), executor);
  }
  if (!error.ok()) return error;
  return kernels::SubtractCentroids(points, args.centroids, args.clusters,
                                    args.labels, executor);
}

kernels::Error ResidualCodec::EncodeResidual(
    const Points& points, const TensorBytes& bytes,
    const kernels::Executor& executor) const {
  kernels::QuantizeArgs args;
  args.points = points;
  args.rule = options_.rule;
  args.bits = options_.bits;
  args.trits = options_.trits;
  args.block = options_.block;
  args.codes = bytes.codes;
  args.scales = bytes.scales;
  args.zeros = bytes.zeros;
  return kernels::Quantize(args, executor);
}

absl::Status ResidualCodec::EncodeTensor(
    const PackedTensor& rows, uint64_t seed, const TensorBytes& bytes,
    absl::Span<uint8_t> workspace, const kernels::Executor& executor) const {
  WorkspaceCutter cutter(workspace.data());
  const int dim = rows.codec.head_dim;
  const Points points = {cutter.Take<uint16_t>(rows.tokens * rows.heads * dim),
                         rows.heads, rows.tokens, dim};
  kernels::Error error =
      kernels::DecodeRows(rows, 0, rows.tokens, points.values, executor);
  for (int stage = 0; error.ok() && stage < options_.stages; ++stage) {
    error = EncodeStage(points, stage, seed, bytes,
                        workspace.subspan(cutter.bytes()), executor);
  }
  if (error.ok()) error = EncodeResidual(points, bytes, executor);
  return ToStatus(error);
}

absl::Status ResidualCodec::Encode(const SpanShape& shape,
                                   absl::Span<const KvSegment> layers,
                                   uint64_t seed, absl::Span<uint8_t> out,
                                   absl::Span<uint8_t> workspace,
                                   const kernels::Executor& executor) const {
  absl::Status status = CheckMemory(out, SpanBytes(shape), workspace,
                                    WorkspaceBytes(shape, executor));
  if (status.ok()) status = CheckSource(shape, layers);
  if (status.ok() && LayerStride(shape) != LayerBytes(shape)) {
    status = ToStatus(kernels::Fill(out.data(), 0, out.size(), executor));
  }
  for (int i = 0; status.ok() && i < 2 * shape.layers; ++i) {
    const int layer = i / 2;
    const int tensor = i % 2;
    status = EncodeTensor(
        TensorOf(layers[layer], tensor), kernels::RandomBits(seed, i),
        Locate(shape, layer, tensor, out.data()), workspace, executor);
  }
  return status;
}

}  // namespace

std::unique_ptr<Codec> MakeResidualCodec(const ResidualOptions& options) {
  return std::make_unique<ResidualCodec>(options);
}

}  // namespace qvg
