#include <algorithm>

#include "kernels/cuda_check.h"
#include "kernels/cuda_launch.h"
#include "kernels/decode_cuda.cuh"
#include "kernels/octet_cuda.cuh"
#include "kernels/product_rows_cuda.h"
#include "kernels/residual_rows_cuda.h"
#include "kernels/rows.h"
#include "kernels/rows_internal.h"

namespace qvg::kernels {
namespace {

using device::kOctet;
using device::StoreOctet;
using internal::RowRange;

constexpr int kThreads = internal::kRowThreads;

// row * H / sqrt(dim) of a row of which each lane holds an octet: neighbours
// first, as Hadamard() has it.
__device__ void HadamardLanes(int octets, float* values) {
#pragma unroll
  for (int half = 1; half < kOctet; half *= 2) {
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      if ((i & half) != 0) continue;
      const float a = values[i];
      const float b = values[i + half];
      values[i] = a + b;
      values[i + half] = a - b;
    }
  }
  for (int half = 1; half < octets; half *= 2) {
    const bool upper = (threadIdx.x & half) != 0;
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      const float other = __shfl_xor_sync(0xffffffffu, values[i], half);
      values[i] = upper ? other - values[i] : values[i] + other;
    }
  }
  const float factor =
      __fdiv_rn(1, __fsqrt_rn(static_cast<float>(octets * kOctet)));
#pragma unroll
  for (int i = 0; i < kOctet; ++i) values[i] *= factor;
}

// Every encoding, through the tile decoder. Rows past the end repeat the last,
// for the exchange between lanes.
__global__ __launch_bounds__(kThreads) void DecodeAnyKernel(
    const __grid_constant__ PackedTensor t, RowRange range, uint16_t* out) {
  const int octets = t.codec.head_dim / kOctet;
  const int octet = threadIdx.x & (octets - 1);
  const int step = kThreads / octets;
  const int head = blockIdx.y;
  const int64_t begin = blockIdx.x * range.share;
  const int64_t end = min(range.tokens, begin + range.share);
  for (int64_t first = begin; first < end; first += step) {
    const int64_t row = first + threadIdx.x / octets;
    const int64_t token = range.first + min(row, end - 1);
    float values[kOctet];
    device::DecodeOctet(t, head, token, octet * kOctet, values);
    if (t.codec.hadamard && token < GroupedTokens(t.codec, t.tokens)) {
      HadamardLanes(octets, values);
    }
    if (row >= end) continue;
    StoreOctet(values, out + (head * range.tokens + row) * t.codec.head_dim +
                           octet * kOctet);
  }
}

// BF16 rows that are aligned to 16 bytes.
__global__ __launch_bounds__(kThreads) void CopyRowsKernel(
    const __grid_constant__ PackedTensor t, RowRange range, uint16_t* out) {
  const int octets = t.codec.head_dim / kOctet;
  const int octet = threadIdx.x & (octets - 1);
  const int head = blockIdx.y;
  const int64_t end = min(range.tokens, blockIdx.x * range.share + range.share);
  const auto* from = static_cast<const uint16_t*>(t.values) +
                     range.first * t.token_stride + head * t.head_stride +
                     octet * kOctet;
  uint16_t* to = out + head * range.tokens * t.codec.head_dim + octet * kOctet;
#pragma unroll 4
  for (int64_t row = blockIdx.x * range.share + threadIdx.x / octets; row < end;
       row += kThreads / octets) {
    __stcs(reinterpret_cast<uint4*>(to + row * t.codec.head_dim),
           __ldcs(reinterpret_cast<const uint4*>(from + row * t.token_stride)));
  }
}

// Blocks that are many enough to end together, but decode so many tokens that
// loading the head's centroids into L1 is little beside; two of them per
// multiprocessor in any case.
dim3 GridOf(int heads, RowRange* range) {
  constexpr int64_t kGranule = 32;  // a sector of ids
  constexpr int64_t kPlenty = 512;
  const int processors = MultiprocessorCount();
  const auto share = [&](int blocks) {
    return internal::Tiles(range->tokens, std::max(1, blocks / heads));
  };
  const int64_t tokens =
      std::max(share(4 * processors), std::min(share(2 * processors), kPlenty));
  range->share = internal::Tiles(tokens, kGranule) * kGranule;
  return dim3(
      static_cast<unsigned>(internal::Tiles(range->tokens, range->share)),
      heads);
}

bool HasAlignedRows(const PackedTensor& t) {
  return t.codec.encoding == Encoding::kBf16 && IsAligned(t.values, 16) &&
         t.token_stride % kOctet == 0 && t.head_stride % kOctet == 0;
}

// Whether the tile decoder can read the tensor.
Error CheckAlignment(const PackedTensor& t) {
  const bool codes = t.codec.encoding == Encoding::kMinMax ||
                     (t.codec.encoding == Encoding::kResidual && t.codec.trits);
  if (codes && (!IsAligned(t.codes, 4) || !IsAligned(t.centroids, 16))) {
    return Error::Invalid("codes, centroids: not aligned");
  }
  return Error::Ok();
}

void Launch(const PackedTensor& tensor, RowRange range, uint16_t* out,
            CudaStream stream) {
  const dim3 grid = GridOf(tensor.heads, &range);
  const CodecDescriptor& codec = tensor.codec;
  if (codec.encoding == Encoding::kResidual && !codec.trits) {
    internal::DecodeResidualRowsCuda(tensor, range, grid, out, stream);
  } else if (HasAlignedRows(tensor)) {
    CopyRowsKernel<<<grid, kThreads, 0, stream>>>(tensor, range, out);
  } else {
    DecodeAnyKernel<<<grid, kThreads, 0, stream>>>(tensor, range, out);
  }
}

// One thread per octet of all points.
__global__ __launch_bounds__(kThreads) void SubtractKernel(
    Points points, const uint16_t* centroids, int per_head,
    const uint8_t* ids) {
  const int octets = points.dim / kOctet;
  const int64_t total = points.heads * points.tokens * octets;
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < total;
       i += step) {
    const int64_t row = i / octets;
    const int64_t centroid = row / points.tokens * per_head + ids[row];
    const uint4 minus = __ldg(reinterpret_cast<const uint4*>(
        centroids + centroid * points.dim + i % octets * kOctet));
    auto* point = reinterpret_cast<uint4*>(points.values) + i;
    *point = device::SubtractSaturated(*point, minus);
  }
}

}  // namespace

Error DecodeRowsCuda(const PackedTensor& tensor, int64_t first, int64_t tokens,
                     uint16_t* out, CudaStream stream) {
  Error error = internal::CheckDecode(tensor, first, tokens, out);
  if (!error.ok()) return error;
  if (!IsAligned(out, 16)) {
    return Error::Invalid("out: must be aligned to 16 bytes");
  }
  error = CheckAlignment(tensor);
  if (error.ok()) error = CheckDevice();
  if (!error.ok() || tokens == 0) return error;
  if (tensor.codec.encoding == Encoding::kProduct) {
    return internal::DecodeProductRowsCuda(tensor, first, tokens, out, stream);
  }
  Launch(tensor, {first, tokens, 0}, out, stream);
  return LaunchError();
}

Error SubtractCentroidsCuda(const Points& points, const uint16_t* centroids,
                            int centroids_per_head, const uint8_t* ids,
                            CudaStream stream) {
  Error error = internal::CheckSubtract(points, centroids, ids);
  if (!error.ok()) return error;
  if (!IsAligned(points.values, 16) || !IsAligned(centroids, 16)) {
    return Error::Invalid("points, centroids: must be aligned to 16 bytes");
  }
  error = CheckDevice();
  if (!error.ok() || points.tokens == 0) return error;
  const int64_t octets = points.heads * points.tokens * (points.dim / kOctet);
  SubtractKernel<<<GridFor(octets, kThreads), kThreads, 0, stream>>>(
      points, centroids, centroids_per_head, ids);
  return LaunchError();
}

}  // namespace qvg::kernels
