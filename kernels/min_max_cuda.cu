#include <algorithm>

#include "kernels/copy_tokens.h"
#include "kernels/cuda_check.h"
#include "kernels/cuda_launch.h"
#include "kernels/min_max.h"
#include "kernels/numeric.h"
#include "kernels/quantize_cuda.cuh"
#include "kernels/rows_internal.h"

namespace qvg::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kOctet = 8;

// A group's zero and scale, as rounded, and their FP16 patterns.
struct Group {
  uint16_t half_zero;
  uint16_t half_scale;
  float zero;
  float scale;
};

__device__ Group GroupOf(float min, float max, int bits) {
  Group group;
  const float steps = static_cast<float>((1 << bits) - 1);
  group.half_zero = FloatToHalf(min);
  group.half_scale = FloatToHalf(__fdiv_rn(max - min, steps));
  group.zero = HalfToFloat(group.half_zero);
  group.scale = HalfToFloat(group.half_scale);
  return group;
}

__device__ uint32_t CodeOf(float value, const Group& group, int bits) {
  if (group.scale == 0) return 0;
  const float limit = static_cast<float>((1 << bits) - 1);
  const float quotient = __fdiv_rn(value - group.zero, group.scale);
  return static_cast<uint32_t>(rintf(device::Clamp(quotient, 0, limit)));
}

// Where the codes of an octet lie in their word.
__device__ int ShiftOf(int i, int bits) {
  const int per_byte = 8 / bits;
  return i / per_byte * 8 + 8 - bits * (i % per_byte + 1);
}

__device__ void StoreWord(const MinMaxArgs& args, int64_t octet,
                          uint32_t word) {
  if (args.codec.bits == 2) {
    reinterpret_cast<uint16_t*>(args.codes)[octet] =
        static_cast<uint16_t>(word);
  } else {
    reinterpret_cast<uint32_t*>(args.codes)[octet] = word;
  }
}

__device__ uint4 LoadOctet(const Points& points, int head, int64_t token,
                           int octet) {
  const int64_t row = head * points.tokens + token;
  return reinterpret_cast<const uint4*>(
      points.values)[row * (points.dim / kOctet) + octet];
}

// The row of which each of `octets` lanes holds a part times the Hadamard
// matrix, in FP64 and in the order of Hadamard(); what overflows saturates.
__device__ void Rotate(int octets, float* values) {
  double row[kOctet];
#pragma unroll
  for (int i = 0; i < kOctet; ++i) row[i] = values[i];
#pragma unroll
  for (int half = 1; half < kOctet; half *= 2) {
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      if ((i & half) != 0) continue;
      const double a = row[i];
      const double b = row[i + half];
      row[i] = a + b;
      row[i + half] = a - b;
    }
  }
  for (int half = 1; half < octets; half *= 2) {
    const bool upper = (threadIdx.x & half) != 0;
#pragma unroll
    for (int i = 0; i < kOctet; ++i) {
      const double other = __shfl_xor_sync(0xffffffffu, row[i], half);
      row[i] = upper ? other - row[i] : row[i] + other;
    }
  }
  constexpr double kMax = 0x1.fffffep127;
  const double factor = 1 / sqrt(static_cast<double>(octets * kOctet));
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    values[i] = static_cast<float>(fmin(fmax(row[i] * factor, -kMax), kMax));
  }
}

// Groups of channels: a thread per octet, a row's side by side. Rows past the
// end repeat the last, for the exchange between lanes.
__global__ __launch_bounds__(kThreads) void ChannelsKernel(
    const __grid_constant__ MinMaxArgs args) {
  const Points& points = args.points;
  const int octets = points.dim / kOctet;
  const int octet = threadIdx.x % octets;
  const int head = blockIdx.y;
  const int64_t row =
      int64_t{blockIdx.x} * (kThreads / octets) + threadIdx.x / octets;
  const int64_t token = min(row, points.tokens - 1);
  float values[kOctet];
  device::UnpackOctet(LoadOctet(points, head, token, octet), values);
  if (args.codec.hadamard) Rotate(octets, values);
  float low = values[0];
  float high = values[0];
#pragma unroll
  for (int i = 1; i < kOctet; ++i) {
    low = fminf(low, values[i]);
    high = fmaxf(high, values[i]);
  }
  const int lanes = args.codec.block / kOctet;
  for (int step = 1; step < lanes; step *= 2) {
    low = fminf(low, __shfl_xor_sync(0xffffffffu, low, step));
    high = fmaxf(high, __shfl_xor_sync(0xffffffffu, high, step));
  }
  if (row >= points.tokens) return;
  const Group group = GroupOf(low, high, args.codec.bits);
  uint32_t word = 0;
#pragma unroll
  for (int i = 0; i < kOctet; ++i) {
    word |= CodeOf(values[i], group, args.codec.bits)
            << ShiftOf(i, args.codec.bits);
  }
  const int64_t at = (token * points.heads + head) * octets + octet;
  StoreWord(args, at, word);
  if (octet % lanes != 0) return;
  args.half_zeros[at / lanes] = group.half_zero;
  args.half_scales[at / lanes] = group.half_scale;
}

// Groups of tokens: a thread per octet of a group, which it reads twice.
__global__ __launch_bounds__(kThreads) void TokensKernel(
    const __grid_constant__ MinMaxArgs args, int64_t groups) {
  const Points& points = args.points;
  const int octets = points.dim / kOctet;
  const int head = blockIdx.y;
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= groups * octets) return;
  const int octet = static_cast<int>(i % octets);
  const int64_t first = i / octets * args.codec.block;
  float low[kOctet];
  float high[kOctet];
  for (int t = 0; t < args.codec.block; ++t) {
    float values[kOctet];
    device::UnpackOctet(LoadOctet(points, head, first + t, octet), values);
#pragma unroll
    for (int c = 0; c < kOctet; ++c) {
      low[c] = t == 0 ? values[c] : fminf(low[c], values[c]);
      high[c] = t == 0 ? values[c] : fmaxf(high[c], values[c]);
    }
  }
  const int64_t group = (i / octets * points.heads + head) * octets + octet;
#pragma unroll
  for (int c = 0; c < kOctet; ++c) {
    const Group rounded = GroupOf(low[c], high[c], args.codec.bits);
    args.half_zeros[group * kOctet + c] = rounded.half_zero;
    args.half_scales[group * kOctet + c] = rounded.half_scale;
  }
  for (int t = 0; t < args.codec.block; ++t) {
    float values[kOctet];
    device::UnpackOctet(LoadOctet(points, head, first + t, octet), values);
    uint32_t word = 0;
#pragma unroll
    for (int c = 0; c < kOctet; ++c) {
      word |= CodeOf(values[c], GroupOf(low[c], high[c], args.codec.bits),
                     args.codec.bits)
              << ShiftOf(c, args.codec.bits);
    }
    StoreWord(args, ((first + t) * points.heads + head) * octets + octet, word);
  }
}

// Tokens after the last whole group stay as they are.
Error CopyRest(const MinMaxArgs& args, int64_t grouped, CudaStream stream) {
  const Points& points = args.points;
  PackedTensor rest;
  rest.codec.encoding = Encoding::kBf16;
  rest.codec.head_dim = points.dim;
  rest.heads = points.heads;
  rest.tokens = points.tokens - grouped;
  rest.values = points.values + grouped * points.dim;
  rest.token_stride = points.dim;
  rest.head_stride = points.tokens * points.dim;
  return CopyTokensCuda(rest, Encoding::kBf16, args.rows, stream);
}

Error EncodeTokenGroups(const MinMaxArgs& args, CudaStream stream) {
  const int64_t grouped = GroupedTokens(args.codec, args.points.tokens);
  const int64_t groups = grouped / args.codec.block;
  const int64_t items = groups * (args.points.dim / kOctet);
  if (items > 0) {
    const dim3 grid(static_cast<unsigned>(internal::Tiles(items, kThreads)),
                    args.points.heads);
    TokensKernel<<<grid, kThreads, 0, stream>>>(args, groups);
  }
  const Error error = LaunchError();
  return error.ok() ? CopyRest(args, grouped, stream) : error;
}

}  // namespace

Error EncodeMinMaxCuda(const MinMaxArgs& args, CudaStream stream) {
  Error error = internal::CheckMinMax(args);
  if (!error.ok()) return error;
  if (!IsAligned(args.points.values, 16) || !IsAligned(args.codes, 4)) {
    return Error::Invalid("points, codes: not aligned");
  }
  error = CheckDevice();
  if (!error.ok() || args.points.tokens == 0) return error;
  if (args.codec.axis == GroupAxis::kToken) {
    return EncodeTokenGroups(args, stream);
  }
  const int rows = kThreads / (args.points.dim / kOctet);
  const dim3 grid(
      static_cast<unsigned>(internal::Tiles(args.points.tokens, rows)),
      args.points.heads);
  ChannelsKernel<<<grid, kThreads, 0, stream>>>(args);
  return LaunchError();
}

}  // namespace qvg::kernels
