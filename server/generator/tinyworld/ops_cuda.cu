#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "server/generator/tinyworld/ops_cuda.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

using Bf16 = __nv_bfloat16;

// One block of 16 warps works on one group of 128 tokens, one warp on one
// token at a time, one lane on 8 neighbouring channels; 8 lanes are a head.
constexpr int kWarps = 16;
constexpr int kThreads = kWarps * 32;
constexpr int kRows = kTokens / kWarps;  // per warp
constexpr int kLane = kWidth / 32;       // channels
constexpr float kEpsilon = 1e-6f;
static_assert(kLane == 8 && kRayPlaces == kWarps);

struct Values {
  float v[kLane];
};

__device__ Values Load(const float* p) {
  Values r;
  const float4 a = reinterpret_cast<const float4*>(p)[0];
  const float4 b = reinterpret_cast<const float4*>(p)[1];
  r.v[0] = a.x;
  r.v[1] = a.y;
  r.v[2] = a.z;
  r.v[3] = a.w;
  r.v[4] = b.x;
  r.v[5] = b.y;
  r.v[6] = b.z;
  r.v[7] = b.w;
  return r;
}

__device__ Values Load(const Bf16* p) {
  const uint4 raw = *reinterpret_cast<const uint4*>(p);
  const auto* pairs = reinterpret_cast<const __nv_bfloat162*>(&raw);
  Values r;
  for (int i = 0; i < kLane / 2; ++i) {
    const float2 f = __bfloat1622float2(pairs[i]);
    r.v[2 * i] = f.x;
    r.v[2 * i + 1] = f.y;
  }
  return r;
}

__device__ void Store(float* p, const Values& r) {
  reinterpret_cast<float4*>(p)[0] = {r.v[0], r.v[1], r.v[2], r.v[3]};
  reinterpret_cast<float4*>(p)[1] = {r.v[4], r.v[5], r.v[6], r.v[7]};
}

__device__ void Store(Bf16* p, const Values& r) {
  uint4 raw;
  auto* pairs = reinterpret_cast<__nv_bfloat162*>(&raw);
  for (int i = 0; i < kLane / 2; ++i) {
    pairs[i] = __floats2bfloat162_rn(r.v[2 * i], r.v[2 * i + 1]);
  }
  *reinterpret_cast<uint4*>(p) = raw;
}

// Sums over `lanes` neighbouring lanes, a power of two.
template <int lanes>
__device__ float LaneSum(float x) {
  for (int i = lanes / 2; i > 0; i /= 2) {
    x += __shfl_xor_sync(0xffffffffu, x, i);
  }
  return x;
}

__device__ float Dot(const Values& a, const Values& b) {
  float sum = 0;
  for (int i = 0; i < kLane; ++i) sum += a.v[i] * b.v[i];
  return sum;
}

// (x - mean) / deviation over the token's 256 channels; returns 1/deviation.
__device__ float Normalize(Values& x) {
  float sum = 0;
  for (int i = 0; i < kLane; ++i) sum += x.v[i];
  const float mean = LaneSum<32>(sum) / kWidth;
  for (int i = 0; i < kLane; ++i) x.v[i] -= mean;
  const float inverse = rsqrtf(LaneSum<32>(Dot(x, x)) / kWidth + kEpsilon);
  for (int i = 0; i < kLane; ++i) x.v[i] *= inverse;
  return inverse;
}

// Adds up the warps' values of each channel in a fixed order: out (256).
__device__ void BlockSum(const Values& value, float* scratch, float* out) {
  const int warp = threadIdx.x / 32;
  const int channel = threadIdx.x % 32 * kLane;
  Store(scratch + warp * kWidth + channel, value);
  __syncthreads();
  for (int c = threadIdx.x; c < kWidth; c += kThreads) {
    float sum = 0;
    for (int w = 0; w < kWarps; ++w) sum += scratch[w * kWidth + c];
    out[c] = sum;
  }
  __syncthreads();
}

__global__ void __launch_bounds__(kThreads)
    ResidualNormForwardKernel(ResidualNormArgs a) {
  const int64_t group = blockIdx.x;
  const int channel = threadIdx.x % 32 * kLane;
  const Values gate = Load(a.gate.data + group * a.gate.stride + channel);
  const Values shift = Load(a.shift.data + group * a.shift.stride + channel);
  const Values scale = Load(a.scale.data + group * a.scale.stride + channel);
  for (int row = 0; row < kRows; ++row) {
    const int64_t token = group * kTokens + threadIdx.x / 32 * kRows + row;
    const int64_t at = token * kWidth + channel;
    Values x = Load(a.x + at);
    const Values y = Load(static_cast<const Bf16*>(a.y) + at);
    for (int i = 0; i < kLane; ++i) x.v[i] += gate.v[i] * y.v[i];
    Store(a.x_out + at, x);
    Normalize(x);
    for (int i = 0; i < kLane; ++i) {
      x.v[i] = x.v[i] * (1 + scale.v[i]) + shift.v[i];
    }
    Store(static_cast<Bf16*>(a.h) + at, x);
  }
}

__global__ void __launch_bounds__(kThreads)
    ResidualNormBackwardKernel(ResidualNormGradArgs a) {
  __shared__ float scratch[kWarps * kWidth];
  const int64_t group = blockIdx.x;
  const int channel = threadIdx.x % 32 * kLane;
  const Values gate = Load(a.gate.data + group * a.gate.stride + channel);
  const Values scale = Load(a.scale.data + group * a.scale.stride + channel);
  Values gate_sum{}, shift_sum{}, scale_sum{};
  for (int row = 0; row < kRows; ++row) {
    const int64_t token = group * kTokens + threadIdx.x / 32 * kRows + row;
    const int64_t at = token * kWidth + channel;
    Values n = Load(a.x_out + at);
    const float inverse = Normalize(n);
    Values d = Load(static_cast<const Bf16*>(a.h_grad) + at);
    float mean = 0, slope = 0;
    for (int i = 0; i < kLane; ++i) {
      shift_sum.v[i] += d.v[i];
      scale_sum.v[i] += d.v[i] * n.v[i];
      d.v[i] *= 1 + scale.v[i];
      mean += d.v[i];
      slope += d.v[i] * n.v[i];
    }
    mean = LaneSum<32>(mean) / kWidth;
    slope = LaneSum<32>(slope) / kWidth;
    Values x{};
    if (a.x_out_grad != nullptr) x = Load(a.x_out_grad + at);
    const Values y = Load(static_cast<const Bf16*>(a.y) + at);
    Values y_grad;
    for (int i = 0; i < kLane; ++i) {
      x.v[i] += inverse * (d.v[i] - mean - n.v[i] * slope);
      gate_sum.v[i] += x.v[i] * y.v[i];
      y_grad.v[i] = x.v[i] * gate.v[i];
    }
    Store(a.x_grad + at, x);
    Store(static_cast<Bf16*>(a.y_grad) + at, y_grad);
  }
  BlockSum(gate_sum, scratch, a.gate_grad + group * kWidth);
  BlockSum(shift_sum, scratch, a.shift_grad + group * kWidth);
  BlockSum(scale_sum, scratch, a.scale_grad + group * kWidth);
}

// Token of the row-th patch row at a warp's place (pair, patch column).
__device__ int TokenAt(int place, int row) {
  return (place / kPatches * kPatches + row) * kPatches + place % kPatches;
}

__device__ float HeadInverseRms(const Values& x) {
  return rsqrtf(LaneSum<8>(Dot(x, x)) / kHeadDim + kEpsilon);
}

// Reads raw Q (part 0) or K (part 1) of a token with its rays added.
__device__ Values LoadRaw(const void* qkv, int64_t token, int part, int channel,
                          const Values& rays) {
  Values x = Load(static_cast<const Bf16*>(qkv) + token * 3 * kWidth +
                  part * kWidth + channel);
  for (int i = 0; i < kLane; ++i) x.v[i] += rays.v[i];
  return x;
}

__device__ Values LoadRays(const void* rays, int64_t chunk, int place, int part,
                           int channel) {
  return Load(static_cast<const Bf16*>(rays) +
              ((chunk * kRayPlaces + place) * 2 + part) * kWidth + channel);
}

__global__ void __launch_bounds__(kThreads)
    QueryKeyNormForwardKernel(QueryKeyNormArgs a) {
  const int64_t group = blockIdx.x;
  const int place = threadIdx.x / 32;
  const int channel = threadIdx.x % 32 * kLane;
  for (int part = 0; part < 2; ++part) {
    const Values gain = Load(a.gain + part * kWidth + channel);
    const Values rays =
        LoadRays(a.rays, group / a.copies, place, part, channel);
    Bf16* out = static_cast<Bf16*>(part == 0 ? a.q : a.k);
    for (int row = 0; row < kPatches; ++row) {
      const int64_t token = group * kTokens + TokenAt(place, row);
      Values x = LoadRaw(a.qkv, token, part, channel, rays);
      const float inverse = HeadInverseRms(x);
      for (int i = 0; i < kLane; ++i) x.v[i] *= inverse * gain.v[i];
      Store(out + token * kWidth + channel, x);
    }
  }
  for (int row = 0; row < kPatches; ++row) {
    const int64_t token = group * kTokens + TokenAt(place, row);
    const Bf16* v = static_cast<const Bf16*>(a.qkv) + token * 3 * kWidth +
                    2 * kWidth + channel;
    *reinterpret_cast<uint4*>(static_cast<Bf16*>(a.v) + token * kWidth +
                              channel) = *reinterpret_cast<const uint4*>(v);
  }
}

__global__ void __launch_bounds__(kThreads)
    QueryKeyNormBackwardKernel(QueryKeyNormGradArgs a) {
  __shared__ float scratch[kWarps * kWidth];
  const int64_t group = blockIdx.x;
  const int place = threadIdx.x / 32;
  const int channel = threadIdx.x % 32 * kLane;
  for (int part = 0; part < 2; ++part) {
    const Values gain = Load(a.gain + part * kWidth + channel);
    const Values rays =
        LoadRays(a.rays, group / a.copies, place, part, channel);
    const Bf16* out_grad =
        static_cast<const Bf16*>(part == 0 ? a.q_grad : a.k_grad);
    Values rays_sum{}, gain_sum{};
    for (int row = 0; row < kPatches; ++row) {
      const int64_t token = group * kTokens + TokenAt(place, row);
      Values n = LoadRaw(a.qkv, token, part, channel, rays);
      const float inverse = HeadInverseRms(n);
      Values d = Load(out_grad + token * kWidth + channel);
      for (int i = 0; i < kLane; ++i) {
        n.v[i] *= inverse;
        gain_sum.v[i] += d.v[i] * n.v[i];
        d.v[i] *= gain.v[i];
      }
      const float slope = LaneSum<8>(Dot(d, n)) / kHeadDim;
      for (int i = 0; i < kLane; ++i) {
        d.v[i] = inverse * (d.v[i] - n.v[i] * slope);
        rays_sum.v[i] += d.v[i];
      }
      Store(static_cast<Bf16*>(a.qkv_grad) + token * 3 * kWidth +
                part * kWidth + channel,
            d);
    }
    Store(a.rays_grad + ((group * kRayPlaces + place) * 2 + part) * kWidth +
              channel,
          rays_sum);
    BlockSum(gain_sum, scratch, a.gain_grad + (group * 2 + part) * kWidth);
  }
  for (int row = 0; row < kPatches; ++row) {
    const int64_t token = group * kTokens + TokenAt(place, row);
    const Bf16* v =
        static_cast<const Bf16*>(a.v_grad) + token * kWidth + channel;
    *reinterpret_cast<uint4*>(static_cast<Bf16*>(a.qkv_grad) +
                              token * 3 * kWidth + 2 * kWidth + channel) =
        *reinterpret_cast<const uint4*>(v);
  }
}

// One warp a query.
__global__ void MergeKernel(MergeArgs a) {
  const int64_t row =
      (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  const int64_t queries = static_cast<int64_t>(a.length) * a.chunk_queries;
  const int64_t group = row / queries;
  if (group >= static_cast<int64_t>(a.sequences) * a.groups) return;
  const int64_t query = row % queries;
  const int64_t chunk = group / a.groups * a.chunks + a.first +
                        group % a.groups * a.stride + query / a.chunk_queries;
  const int64_t w = query % a.chunk_queries;
  const int lane = threadIdx.x % 32;
  const int head = lane / (kHeadDim / kLane);
  const float fresh = a.partial_lse[(group * kHeads + head) * queries + query];
  float* lse = a.lse + (chunk * kHeads + head) * a.chunk_queries + w;
  const float old = *lse;
  const float top = fmaxf(fresh, old);
  const float merged = top + logf(expf(fresh - top) + expf(old - top));
  const float keep = expf(old - merged);
  const float add = expf(fresh - merged);
  float* out = a.out + (chunk * a.chunk_queries + w) * kWidth + lane * kLane;
  Values sum = Load(out);
  const Values part = Load(static_cast<const Bf16*>(a.partial_out) +
                           row * kWidth + lane * kLane);
  for (int i = 0; i < kLane; ++i) {
    sum.v[i] = keep * sum.v[i] + add * part.v[i];
  }
  Store(out, sum);
  __syncwarp();  // every lane of the head has read the old value
  if (lane % (kHeadDim / kLane) == 0) *lse = merged;
}

kernels::Error Launched() {
  if (cudaGetLastError() == cudaSuccess) return kernels::Error::Ok();
  return {kernels::Error::Code::kDevice, "a kernel failed to start"};
}

cudaStream_t Stream(void* stream) { return static_cast<cudaStream_t>(stream); }

}  // namespace

kernels::Error ResidualNormForward(const ResidualNormArgs& args, void* stream) {
  ResidualNormForwardKernel<<<args.groups, kThreads, 0, Stream(stream)>>>(args);
  return Launched();
}

kernels::Error ResidualNormBackward(const ResidualNormGradArgs& args,
                                    void* stream) {
  ResidualNormBackwardKernel<<<args.groups, kThreads, 0, Stream(stream)>>>(
      args);
  return Launched();
}

kernels::Error QueryKeyNormForward(const QueryKeyNormArgs& args, void* stream) {
  QueryKeyNormForwardKernel<<<args.groups, kThreads, 0, Stream(stream)>>>(args);
  return Launched();
}

kernels::Error QueryKeyNormBackward(const QueryKeyNormGradArgs& args,
                                    void* stream) {
  QueryKeyNormBackwardKernel<<<args.groups, kThreads, 0, Stream(stream)>>>(
      args);
  return Launched();
}

kernels::Error MergeAttention(const MergeArgs& args, void* stream) {
  constexpr int kBlock = 256;
  const int64_t rows = static_cast<int64_t>(args.sequences) * args.groups *
                       args.length * args.chunk_queries;
  const int64_t blocks = (rows * 32 + kBlock - 1) / kBlock;
  MergeKernel<<<static_cast<unsigned>(blocks), kBlock, 0, Stream(stream)>>>(
      args);
  return Launched();
}

}  // namespace qvg::tinyworld
