#include "kernels/copy_tokens.h"
#include "kernels/cuda_check.h"
#include "kernels/cuda_launch.h"
#include "kernels/numeric.h"

namespace qvg::kernels {
namespace {

constexpr int kThreads = 256;

// Elements that a thread takes at once.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T values[kCount];
};

__device__ void Convert(float from, float* to) { *to = from; }
__device__ void Convert(uint16_t from, uint16_t* to) { *to = from; }
__device__ void Convert(uint16_t from, float* to) {
  *to = BFloat16ToFloat(from);
}
__device__ void Convert(float from, uint16_t* to) {
  *to = FloatToBFloat16(from);
}

__device__ bool IsFinite(float value) {
  return (__float_as_uint(value) & 0x7fffffffu) <= 0x7f7f7fffu;
}
__device__ bool IsFinite(uint16_t value) { return (value & 0x7fffu) <= 0x7f7f; }

// Calls body(pack, its index in [T,H,D / kCount]).
template <typename T, int kCount, typename Body>
__device__ void ForEachPack(const PackedTensor& t, const Body& body) {
  const int64_t dim = t.codec.head_dim / kCount;
  const int64_t row = t.heads * dim;
  const int64_t step = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
       i < t.tokens * row; i += step) {
    const int64_t at = i / row * t.token_stride +
                       i % row / dim * t.head_stride + i % dim * kCount;
    body(*reinterpret_cast<const Pack<T, kCount>*>(
             static_cast<const T*>(t.values) + at),
         i);
  }
}

template <typename From, typename To, int kCount>
__global__ __launch_bounds__(kThreads) void CopyKernel(PackedTensor from,
                                                       To* out) {
  ForEachPack<From, kCount>(
      from, [out](const Pack<From, kCount>& pack, int64_t i) {
        Pack<To, kCount> converted;
#pragma unroll
        for (int c = 0; c < kCount; ++c) {
          Convert(pack.values[c], &converted.values[c]);
        }
        reinterpret_cast<Pack<To, kCount>*>(out)[i] = converted;
      });
}

template <typename T, int kCount>
__global__ __launch_bounds__(kThreads) void FiniteKernel(PackedTensor tensor,
                                                         int32_t* finite) {
  bool all = true;
  ForEachPack<T, kCount>(tensor, [&all](const Pack<T, kCount>& pack, int64_t) {
#pragma unroll
    for (int c = 0; c < kCount; ++c) all &= IsFinite(pack.values[c]);
  });
  if (!all) *finite = 0;
}

// Whether all rows and the output lie at multiples of `count` elements.
template <typename T>
bool CanPack(const PackedTensor& t, int count) {
  return t.codec.head_dim % count == 0 && t.token_stride % count == 0 &&
         t.head_stride % count == 0 && IsAligned(t.values, sizeof(T) * count);
}

int64_t Elements(const PackedTensor& t) {
  return t.tokens * t.heads * t.codec.head_dim;
}

// Sixteen bytes of the wider type at once, where they are aligned.
constexpr int kPack = 4;

template <typename From, typename To>
void LaunchCopy(const PackedTensor& from, To* out, CudaStream stream) {
  if (CanPack<From>(from, kPack) && IsAligned(out, sizeof(To) * kPack)) {
    CopyKernel<From, To, kPack>
        <<<GridFor(Elements(from) / kPack, kThreads), kThreads, 0, stream>>>(
            from, out);
  } else {
    CopyKernel<From, To, 1>
        <<<GridFor(Elements(from), kThreads), kThreads, 0, stream>>>(from, out);
  }
}

template <typename From>
void LaunchCopyTo(const PackedTensor& from, Encoding to, void* out,
                  CudaStream stream) {
  if (to == Encoding::kF32) {
    LaunchCopy<From>(from, static_cast<float*>(out), stream);
  } else {
    LaunchCopy<From>(from, static_cast<uint16_t*>(out), stream);
  }
}

template <typename T>
void LaunchFinite(const PackedTensor& tensor, int32_t* finite,
                  CudaStream stream) {
  if (CanPack<T>(tensor, kPack)) {
    FiniteKernel<T, kPack>
        <<<GridFor(Elements(tensor) / kPack, kThreads), kThreads, 0, stream>>>(
            tensor, finite);
  } else {
    FiniteKernel<T, 1>
        <<<GridFor(Elements(tensor), kThreads), kThreads, 0, stream>>>(tensor,
                                                                       finite);
  }
}

bool IsF32(const PackedTensor& t) { return t.codec.encoding == Encoding::kF32; }

}  // namespace

Error CopyTokensCuda(const PackedTensor& from, Encoding to, void* out,
                     CudaStream stream) {
  const Error error = CheckDevice();
  if (!error.ok() || Elements(from) == 0) return error;
  IsF32(from) ? LaunchCopyTo<float>(from, to, out, stream)
              : LaunchCopyTo<uint16_t>(from, to, out, stream);
  return LaunchError();
}

Error AllFiniteCuda(const PackedTensor& tensor, int32_t* finite,
                    CudaStream stream) {
  const Error error = CheckDevice();
  if (!error.ok() || Elements(tensor) == 0) return error;
  IsF32(tensor) ? LaunchFinite<float>(tensor, finite, stream)
                : LaunchFinite<uint16_t>(tensor, finite, stream);
  return LaunchError();
}

}  // namespace qvg::kernels
