#include <algorithm>

#include "kernels/assign_cuda.cuh"
#include "kernels/assign_group_cuda.cuh"
#include "kernels/assign_warp_cuda.cuh"
#include "kernels/counter_random.h"
#include "kernels/cuda_check.h"
#include "kernels/cuda_launch.h"
#include "kernels/encode.h"
#include "kernels/kmeans_batch_cuda.h"
#include "kernels/rows_internal.h"
#include "kernels/stage_codes_cuda.cuh"
#include "kernels/stage_cuda.cuh"

namespace qvg::kernels {
namespace {

using device::Ending;
using device::StageBatch;
using device::StageTensor;
using device::TileRows;
using internal::ClusterBatch;
using internal::ClusterTensor;
using internal::ClusterWorkspace;
using internal::Tiles;

constexpr int kMaxTensors = ClusterBatch::kMaxTensors;
static_assert(StageBatch::kMostTensors == kMaxTensors);

template <typename Tile>
constexpr int kStageThreads = Tile::kThreads == 32 ? 384 : 512;

// Every warp or warpgroup takes tiles of tokens on its own: nearest centroids,
// residual, codes, all in registers.
template <typename Tile, Ending kEnding>
__global__ __launch_bounds__(kStageThreads<Tile>, 1) void StageKernel(
    const __grid_constant__ StageBatch batch) {
  using Book = typename Tile::Book;
  extern __shared__ __align__(1024) uint4 shared[];
  const Book book = device::CodebookAt<Book>(shared, batch.clusters);
  device::ForEachHead(
      int64_t{batch.count} * batch.heads, batch.tokens, Tile::kTokens,
      [&](int number, int64_t begin, int64_t end) {
        const StageTensor& tensor = batch.tensors[number / batch.heads];
        TileRows<Tile> rows;
        rows.head = number % batch.heads;
        const device::HeadCentroids<Book> centroids = {
            tensor.centroids + int64_t{rows.head} * batch.clusters * Book::kDim,
            batch.clusters, book};
        device::LoadCodebook(centroids.values, batch.clusters, Book::kDim,
                             book);
        const device::HeadRows source = {
            tensor.rows + rows.head * tensor.head_stride, tensor.token_stride,
            batch.tokens, Book::kDim};
        constexpr bool kAhead = kEnding == Ending::kTernary;
        constexpr int kStep = kStageThreads<Tile> / Tile::kThreads;
        int64_t tile = begin + threadIdx.x / Tile::kThreads;
        device::LoadPoints(source, tile * Tile::kTokens, &rows.points);
        for (; tile < end; tile += kStep) {
          int labels[Tile::kRows];
          rows.first = tile * Tile::kTokens;
          device::FindNearest(rows.points, book, labels);
          device::LabelTheRest<Tile>(source, rows.first, centroids, labels);
          device::SubtractNearest<kEnding>(book, labels, &rows);
          // On their way while these are packed, if registers are left for it.
          Tile next;
          if (kAhead) {
            device::LoadPoints(source, (tile + kStep) * Tile::kTokens, &next);
          }
          device::StoreIds(batch, rows, labels, tensor.ids);
          if constexpr (kEnding == Ending::kResidual) {
            device::StoreResidual(batch, rows, tensor.residual);
          } else {
            device::StoreCodes<kEnding == Ending::kTernary>(batch, tensor,
                                                            rows);
          }
          if (kAhead) {
            rows.points = next;
          } else {
            device::LoadPoints(source, (tile + kStep) * Tile::kTokens,
                               &rows.points);
          }
        }
      });
}

template <typename Tile, Ending kEnding>
Error LaunchStage(const StageBatch& batch, CudaStream stream) {
  const int bytes = device::CodebookBytes<typename Tile::Book>(batch.clusters);
  const Error error = ToError(
      cudaFuncSetAttribute(StageKernel<Tile, kEnding>,
                           cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  if (!error.ok()) return error;
  const int64_t tiles =
      int64_t{batch.count} * batch.heads * Tiles(batch.tokens, Tile::kTokens);
  const auto grid =
      static_cast<unsigned>(std::min<int64_t>(tiles, MultiprocessorCount()));
  StageKernel<Tile, kEnding>
      <<<grid, kStageThreads<Tile>, bytes, stream>>>(batch);
  return LaunchError();
}

template <typename Tile>
Error LaunchEnding(const StageBatch& batch, bool last, CudaStream stream) {
  if (!last) return LaunchStage<Tile, Ending::kResidual>(batch, stream);
  return batch.bits == 2 && batch.rule == QuantizeRule::kAbsmax
             ? LaunchStage<Tile, Ending::kTernary>(batch, stream)
             : LaunchStage<Tile, Ending::kAnyCodes>(batch, stream);
}

Error LaunchTile(const StageBatch& batch, int dim, bool last,
                 CudaStream stream) {
  if (dim == 128 && device::FillsGroups(batch.clusters)) {
    return LaunchEnding<device::GroupTile<128>>(batch, last, stream);
  }
  if (dim == 64) return LaunchEnding<device::WarpTile<64>>(batch, last, stream);
  if (dim == 128) {
    return LaunchEnding<device::WarpTile<128>>(batch, last, stream);
  }
  return LaunchEnding<device::WarpTile<256>>(batch, last, stream);
}

// What lies where in the workspace: of as many tensors as go into a launch.
struct Layout {
  Layout(const EncodeArgs& args, WorkspaceCutter* cutter)
      : fitted_tokens(args.fit_rounds > 0 ? Tiles(args.tokens, args.fit_stride)
                                          : 0),
        cluster(TensorsOf(args) * args.heads, fitted_tokens, args.clusters,
                cutter) {
    const int64_t rows = TensorsOf(args) * args.heads * args.tokens;
    labels =
        cutter->Take<uint8_t>(TensorsOf(args) * args.heads * fitted_tokens);
    residual = cutter->Take<uint16_t>(args.stages > 1 ? rows * args.dim : 0);
  }

  static int64_t TensorsOf(const EncodeArgs& args) {
    return std::min(args.count, kMaxTensors);
  }

  int64_t fitted_tokens;
  ClusterWorkspace cluster;
  uint8_t* labels;     // [tensors,H,fitted_tokens]
  uint16_t* residual;  // [tensors,H,T,D]
};

// Tensors [first, first + count) of a call, stage by stage.
class BatchEncoder {
 public:
  BatchEncoder(const EncodeArgs& args, int first, const Layout& layout,
               CudaStream stream)
      : args_(args),
        tensors_(args.tensors + first),
        count_(std::min(args.count - first, kMaxTensors)),
        layout_(layout),
        stream_(stream) {}

  Error Run() const {
    Error error = Error::Ok();
    for (int s = 0; error.ok() && s < args_.stages; ++s) {
      if (args_.fit_rounds > 0) error = Fit(s);
      if (error.ok()) error = Encode(s);
    }
    return error;
  }

 private:
  StageTensor TensorOf(int i, int stage) const {
    const EncodeTensor& from = tensors_[i];
    const int64_t head = int64_t{stage} * args_.heads;
    const int64_t head_values = args_.tokens * args_.dim;
    StageTensor to;
    to.residual = layout_.residual + i * args_.heads * head_values;
    to.rows = stage == 0 ? from.rows : to.residual;
    to.token_stride = stage == 0 ? from.token_stride : args_.dim;
    to.head_stride = stage == 0 ? from.head_stride : head_values;
    to.centroids = from.centroids + head * args_.clusters * args_.dim;
    to.ids = from.ids + head * args_.tokens;
    to.codes = from.codes;
    to.scales = from.scales;
    to.zeros = from.zeros;
    return to;
  }

  // The tokens of which every `stride`-th is looked at.
  ClusterBatch PointsOf(int stage, int stride) const {
    ClusterBatch batch;
    batch.count = count_;
    batch.heads = args_.heads;
    batch.tokens = Tiles(args_.tokens, stride);
    batch.dim = args_.dim;
    batch.clusters = args_.clusters;
    for (int i = 0; i < count_; ++i) {
      const StageTensor tensor = TensorOf(i, stage);
      batch.tensors[i] = {
          tensor.rows,
          tensor.token_stride * stride,
          tensor.head_stride,
          const_cast<uint16_t*>(tensor.centroids),
          layout_.labels + i * args_.heads * layout_.fitted_tokens,
          RandomBits(tensors_[i].seed, stage)};
    }
    return batch;
  }

  int StrideOf(int round) const {
    if (args_.fit_stride == 1) return 1;
    constexpr int kMostHalvings = 4;
    return args_.fit_stride
           << std::min(args_.fit_rounds - round, kMostHalvings);
  }

  Error Fit(int stage) const {
    Error error = internal::DrawBatch(PointsOf(stage, 1), stream_);
    for (int round = 1; error.ok() && round <= args_.fit_rounds; ++round) {
      const ClusterBatch points = PointsOf(stage, StrideOf(round));
      error = internal::AssignBatch(points, nullptr, true, stream_);
      if (!error.ok()) return error;
      error = internal::UpdateBatch(points, layout_.cluster, nullptr, stream_);
    }
    return error;
  }

  Error Encode(int stage) const {
    StageBatch batch;
    batch.count = count_;
    batch.heads = args_.heads;
    batch.tokens = args_.tokens;
    batch.clusters = args_.clusters;
    batch.bits = args_.bits;
    batch.block = args_.block;
    batch.rule = args_.rule;
    for (int i = 0; i < count_; ++i) batch.tensors[i] = TensorOf(i, stage);
    return LaunchTile(batch, args_.dim, stage + 1 == args_.stages, stream_);
  }

  const EncodeArgs& args_;
  const EncodeTensor* tensors_;
  int count_;
  const Layout& layout_;
  CudaStream stream_;
};

}  // namespace

size_t EncodeCudaWorkspaceBytes(const EncodeArgs& args) {
  WorkspaceCutter cutter;
  Layout(args, &cutter);
  return cutter.bytes();
}

Error EncodeCuda(const EncodeArgs& args, void* workspace,
                 size_t workspace_bytes, CudaStream stream) {
  Error error = internal::CheckEncode(args);
  if (error.ok() && args.tokens > 0 && args.count > 0) {
    error = CheckWorkspace(workspace, workspace_bytes,
                           EncodeCudaWorkspaceBytes(args));
  }
  if (error.ok()) error = CheckDevice();
  if (!error.ok() || args.tokens == 0) return error;
  WorkspaceCutter cutter(workspace);
  const Layout layout(args, &cutter);
  for (int first = 0; error.ok() && first < args.count; first += kMaxTensors) {
    error = BatchEncoder(args, first, layout, stream).Run();
  }
  return error;
}

}  // namespace qvg::kernels
