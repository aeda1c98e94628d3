#include <algorithm>

#include "kernels/cuda_check.h"
#include "kernels/cuda_launch.h"
#include "kernels/decode_cuda.cuh"
#include "kernels/product.h"
#include "kernels/product_internal.h"
#include "kernels/rows_internal.h"
#include "kernels/workspace.h"

namespace qvg::kernels {
namespace {

using device::kOctet;
using internal::Tiles;

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kTokens = 64;  // of a block
constexpr int kTokensOfWarp = kTokens / kWarps;
constexpr int kTokensOfLane = kTokens / 32;
constexpr int kSlice = 16;  // rows of the rotation that lie in shared memory

// What a block holds of its tokens.
template <int kDim>
struct Shared {
  static constexpr int kStride = kDim + 4;

  float rows[kTokens][kStride];  // first x - mean, then that rotated
  float slice[kSlice][kDim];     // of the rotation
  float factors[kTokens];        // 1 / root mean square of the rows
  uint8_t codes[kTokens][kDim];  // [tokens,P]
};

__global__ void HalfNormsKernel(const float* codebook, int width, int64_t count,
                                float* half_norms) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  float sum = 0;
  for (int w = 0; w < width; ++w) {
    const float value = codebook[i * width + w];
    sum += value * value;
  }
  half_norms[i] = sum / 2;
}

// rows = x - mean; 0 past the last token.
template <int kDim>
__device__ void LoadRows(const ProductArgs& args, int head, int64_t first,
                         int count, Shared<kDim>* shared) {
  constexpr int kOctets = kDim / kOctet;
  const float* mean = args.tables.mean + int64_t{head} * kDim;
  for (int i = threadIdx.x; i < kTokens * kOctets; i += kThreads) {
    const int row = i / kOctets;
    const int channel = i % kOctets * kOctet;
    float values[kOctet] = {};
    if (row < count) {
      device::DecodeOctet(args.rows, head, first + row, channel, values);
    }
#pragma unroll
    for (int c = 0; c < kOctet; ++c) {
      shared->rows[row][channel + c] =
          row < count ? values[c] - mean[channel + c] : 0.0f;
    }
  }
}

// rows = rotation^T rows, every warp its own.
template <int kDim>
__device__ void RotateRows(const float* rotation, Shared<kDim>* shared) {
  constexpr int kColumns = kDim / 32;  // of a lane
  const int lane = threadIdx.x % 32;
  const int row = threadIdx.x / 32 * kTokensOfWarp;
  float sums[kTokensOfWarp][kColumns] = {};
  for (int i = 0; i < kDim; i += kSlice) {
    __syncthreads();
    for (int at = threadIdx.x; at < kSlice * kDim; at += kThreads) {
      shared->slice[at / kDim][at % kDim] = rotation[i * kDim + at];
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kSlice; ++k) {
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        const float factor = shared->slice[k][lane + 32 * c];
#pragma unroll
        for (int u = 0; u < kTokensOfWarp; ++u) {
          sums[u][c] += factor * shared->rows[row + u][i + k];
        }
      }
    }
  }
  __syncwarp();
#pragma unroll
  for (int u = 0; u < kTokensOfWarp; ++u) {
    float squares = 0;
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      shared->rows[row + u][lane + 32 * c] = sums[u][c];
      squares += sums[u][c] * sums[u][c];
    }
    for (int step = 16; step > 0; step /= 2) {
      squares += __shfl_xor_sync(0xffffffffu, squares, step);
    }
    if (lane == 0) {
      shared->factors[row + u] =
          squares > 0 ? __fsqrt_rn(__fdiv_rn(kDim, squares)) : 0;
    }
  }
}

// The nearest entry of one part for the tokens of a lane; kWidth 0 stands for
// any width.
template <int kDim, int kWidth>
__device__ void FindPart(const float* entries, const float* half_norms,
                         int width, int part, Shared<kDim>* shared) {
  const int lane = threadIdx.x % 32;
  float values[kTokensOfLane][kWidth > 0 ? kWidth : 1];
  float lowest[kTokensOfLane];
  int best[kTokensOfLane];
#pragma unroll
  for (int u = 0; u < kTokensOfLane; ++u) {
    lowest[u] = INFINITY;
    best[u] = 0;
#pragma unroll
    for (int w = 0; w < kWidth; ++w) {
      values[u][w] = shared->rows[lane + 32 * u][part * kWidth + w] *
                     shared->factors[lane + 32 * u];
    }
  }
#pragma unroll 4
  for (int k = 0; k < kProductEntries; ++k) {
    const float* entry = entries + k * width;
#pragma unroll
    for (int u = 0; u < kTokensOfLane; ++u) {
      float score = half_norms[k];
      if constexpr (kWidth > 0) {
#pragma unroll
        for (int w = 0; w < kWidth; ++w) score -= values[u][w] * entry[w];
      } else {
        const int token = lane + 32 * u;
        for (int w = 0; w < width; ++w) {
          score -= shared->rows[token][part * width + w] *
                   shared->factors[token] * entry[w];
        }
      }
      const bool better = score < lowest[u];
      lowest[u] = better ? score : lowest[u];
      best[u] = better ? k : best[u];
    }
  }
#pragma unroll
  for (int u = 0; u < kTokensOfLane; ++u) {
    shared->codes[lane + 32 * u][part] = static_cast<uint8_t>(best[u]);
  }
}

// The scale of one token, from its codes.
template <int kDim>
__device__ uint8_t ScaleOf(const float* book, int parts, int token,
                           const Shared<kDim>& shared) {
  const int width = kDim / parts;
  float product = 0;
  float squared = 0;
  for (int d = 0; d < kDim; ++d) {
    const int64_t part = d / width;
    const int code = shared.codes[token][part];
    const float entry =
        book[(part * kProductEntries + code) * width + d % width];
    product += shared.rows[token][d] * entry;
    squared += entry * entry;
  }
  return internal::ProductScale(product, squared);
}

template <int kDim>
__global__ __launch_bounds__(kThreads) void ProductKernel(
    ProductArgs args, const float* half_norms) {
  extern __shared__ float memory[];
  auto* shared = reinterpret_cast<Shared<kDim>*>(memory);
  const int head = blockIdx.y;
  const int parts = args.parts;
  const int64_t first = int64_t{blockIdx.x} * kTokens;
  const int count =
      static_cast<int>(min(int64_t{kTokens}, args.rows.tokens - first));
  LoadRows<kDim>(args, head, first, count, shared);
  RotateRows<kDim>(args.tables.rotation + int64_t{head} * kDim * kDim, shared);
  __syncthreads();
  const float* book =
      args.tables.codebook + int64_t{head} * kProductEntries * kDim;
  const int width = kDim / parts;
  for (int p = threadIdx.x / 32; p < parts; p += kWarps) {
    const float* entries = book + p * kProductEntries * width;
    const float* norms =
        half_norms + (int64_t{head} * parts + p) * kProductEntries;
    if (width == 4) {
      FindPart<kDim, 4>(entries, norms, width, p, shared);
    } else {
      FindPart<kDim, 0>(entries, norms, width, p, shared);
    }
  }
  __syncthreads();
  const auto index = [&](int token) {
    return (first + token) * args.rows.heads + head;
  };
  for (int i = threadIdx.x; i < count * parts; i += kThreads) {
    args.codes[index(i / parts) * parts + i % parts] =
        shared->codes[i / parts][i % parts];
  }
  if (threadIdx.x < count) {
    args.scales[index(threadIdx.x)] =
        ScaleOf<kDim>(book, parts, threadIdx.x, *shared);
  }
}

template <int kDim>
Error Launch(const ProductArgs& args, const float* half_norms,
             CudaStream stream) {
  constexpr int kBytes = sizeof(Shared<kDim>);
  const Error error = ToError(cudaFuncSetAttribute(
      ProductKernel<kDim>, cudaFuncAttributeMaxDynamicSharedMemorySize,
      kBytes));
  if (!error.ok()) return error;
  const dim3 grid(static_cast<unsigned>(Tiles(args.rows.tokens, kTokens)),
                  args.rows.heads);
  ProductKernel<kDim><<<grid, kThreads, kBytes, stream>>>(args, half_norms);
  return LaunchError();
}

int64_t HalfNorms(const ProductArgs& args) {
  return int64_t{args.rows.heads} * args.parts * kProductEntries;
}

}  // namespace

size_t ProductCudaWorkspaceBytes(const ProductArgs& args) {
  WorkspaceCutter cutter;
  cutter.Take<float>(HalfNorms(args));
  return cutter.bytes();
}

Error EncodeProductCuda(const ProductArgs& args, void* workspace,
                        size_t workspace_bytes, CudaStream stream) {
  Error error = internal::CheckProduct(args);
  if (!error.ok()) return error;
  error = CheckWorkspace(workspace, workspace_bytes,
                         ProductCudaWorkspaceBytes(args));
  if (error.ok()) error = CheckDevice();
  if (!error.ok() || args.rows.tokens == 0) return error;
  auto* half_norms = static_cast<float*>(workspace);
  const int dim = args.rows.codec.head_dim;
  HalfNormsKernel<<<static_cast<unsigned>(Tiles(HalfNorms(args), kThreads)),
                    kThreads, 0, stream>>>(
      args.tables.codebook, dim / args.parts, HalfNorms(args), half_norms);
  if (dim == 64) return Launch<64>(args, half_norms, stream);
  if (dim == 128) return Launch<128>(args, half_norms, stream);
  return Launch<256>(args, half_norms, stream);
}

}  // namespace qvg::kernels
