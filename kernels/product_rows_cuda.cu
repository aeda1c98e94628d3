#include "kernels/cuda_check.h"
#include "kernels/decode_cuda.cuh"
#include "kernels/product_rows_cuda.h"
#include "kernels/rows_internal.h"

namespace qvg::kernels::internal {
namespace {

using device::kOctet;

constexpr int kThreads = 256;
constexpr int kTokens = 64;  // of a block
constexpr int kTokensOfWarp = kTokens / (kThreads / 32);
constexpr int kSlice = 16;  // columns of the rotation that lie in shared memory

// A thread's rows of floats lie apart by a multiple of 16 bytes.
template <int kDim>
constexpr int kStride = kDim + 4;

template <int kDim>
constexpr int kSharedBytes = (kTokens * kStride<kDim> + kSlice * (kDim + 1)) *
                             static_cast<int>(sizeof(float));

// What the codes of the block's tokens name, scaled; 0 past the last token.
template <int kDim>
__device__ void LookUp(const PackedTensor& t, int head, int64_t first,
                       int count, float* rows) {
  constexpr int kOctets = kDim / kOctet;
  for (int i = threadIdx.x; i < kTokens * kOctets; i += kThreads) {
    const int row = i / kOctets;
    const int channel = i % kOctets * kOctet;
    float values[kOctet] = {};
    if (row < count) {
      device::DecodeProductOctet(t, head, first + row, channel, values);
    }
#pragma unroll
    for (int c = 0; c < kOctet; ++c) {
      rows[row * kStride<kDim> + channel + c] = values[c];
    }
  }
}

// slice[j,i] = rotation[i, first + j]
template <int kDim>
__device__ void LoadSlice(const float* rotation, int first, float* slice) {
  for (int i = threadIdx.x; i < kDim * kSlice; i += kThreads) {
    slice[i % kSlice * (kDim + 1) + i / kSlice] =
        rotation[i / kSlice * kDim + first + i % kSlice];
  }
}

// Rotates by an FP32 product of the block's rows and the head's rotation.
template <int kDim>
__global__ __launch_bounds__(kThreads) void DecodeProductKernel(PackedTensor t,
                                                                int64_t first,
                                                                int64_t tokens,
                                                                uint16_t* out) {
  extern __shared__ float shared[];
  float* rows = shared;
  float* slice = shared + kTokens * kStride<kDim>;
  constexpr int kColumns = kDim / 32;  // of a lane
  const int head = blockIdx.y;
  const int64_t start = int64_t{blockIdx.x} * kTokens;
  const int count = static_cast<int>(min(int64_t{kTokens}, tokens - start));
  const int lane = threadIdx.x % 32;
  const float* row = rows + threadIdx.x / 32 * kTokensOfWarp * kStride<kDim>;
  LookUp<kDim>(t, head, first + start, count, rows);
  float sums[kTokensOfWarp][kColumns];
#pragma unroll
  for (int c = 0; c < kColumns; ++c) {
    const float mean = t.tables.mean[head * kDim + lane + 32 * c];
#pragma unroll
    for (int u = 0; u < kTokensOfWarp; ++u) sums[u][c] = mean;
  }
  const float* rotation = t.tables.rotation + int64_t{head} * kDim * kDim;
  for (int j = 0; j < kDim; j += kSlice) {
    LoadSlice<kDim>(rotation, j, slice);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kSlice; ++k) {
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        const float factor = slice[k * (kDim + 1) + lane + 32 * c];
#pragma unroll
        for (int u = 0; u < kTokensOfWarp; ++u) {
          sums[u][c] += factor * row[u * kStride<kDim> + j + k];
        }
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int u = 0; u < kTokensOfWarp; ++u) {
    const int token = threadIdx.x / 32 * kTokensOfWarp + u;
    if (token >= count) break;
    uint16_t* to = out + (head * tokens + start + token) * kDim + lane;
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      to[32 * c] = __bfloat16_as_ushort(__float2bfloat16_rn(sums[u][c]));
    }
  }
}

template <int kDim>
Error Launch(const PackedTensor& tensor, int64_t first, int64_t tokens,
             uint16_t* out, CudaStream stream) {
  const Error error = ToError(cudaFuncSetAttribute(
      DecodeProductKernel<kDim>, cudaFuncAttributeMaxDynamicSharedMemorySize,
      kSharedBytes<kDim>));
  if (!error.ok()) return error;
  const dim3 grid(static_cast<unsigned>(Tiles(tokens, kTokens)), tensor.heads);
  DecodeProductKernel<kDim><<<grid, kThreads, kSharedBytes<kDim>, stream>>>(
      tensor, first, tokens, out);
  return LaunchError();
}

}  // namespace

Error DecodeProductRowsCuda(const PackedTensor& tensor, int64_t first,
                            int64_t tokens, uint16_t* out, CudaStream stream) {
  switch (tensor.codec.head_dim) {
    case 64:
      return Launch<64>(tensor, first, tokens, out, stream);
    case 128:
      return Launch<128>(tensor, first, tokens, out, stream);
    default:
      return Launch<256>(tensor, first, tokens, out, stream);
  }
}

}  // namespace qvg::kernels::internal
