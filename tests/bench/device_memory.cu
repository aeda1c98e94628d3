#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "kernels/counter_random.h"
#include "kernels/cuda_launch.h"
#include "tests/bench/cases.h"
#include "tests/bench/device_memory.h"

namespace qvg::bench {
namespace {

void Check(cudaError_t error) {
  RequireCuda(error == cudaSuccess, cudaGetErrorString(error));
}

// The sum of four uniform numbers, of variance 1.
__global__ void NormalKernel(uint16_t* out, int64_t count, uint64_t seed) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count;
       i += step) {
    const uint64_t bits = kernels::RandomBits(seed, i);
    float sum = 0;
    for (int part = 0; part < 4; ++part) {
      sum += static_cast<float>(bits >> (16 * part) & 0xffff) / 65536.0f - 0.5f;
    }
    out[i] = __bfloat16_as_ushort(__float2bfloat16_rn(sum * 1.7320508f));
  }
}

__global__ void UniformKernel(uint8_t* out, int64_t count, int low, int range,
                              uint64_t seed) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count;
       i += step) {
    out[i] = static_cast<uint8_t>(low + kernels::RandomBelow(seed, i, range));
  }
}

// An operand in shared memory: rows of 128 bytes, swizzled, K contiguous.
__device__ uint64_t Operand(const void* shared) {
  const auto address = static_cast<uint64_t>(__cvta_generic_to_shared(shared));
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62;
  constexpr uint64_t kEightRows = uint64_t{1024 >> 4} << 32;
  return (address >> 4 & 0x3fff) | uint64_t{1} << 16 | kEightRows | kSwizzle128;
}

constexpr int kProducts = 4096;  // of one warpgroup: 64 x 256 x 16 each

// Two warpgroups per multiprocessor multiply what lies in shared memory.
__global__ __launch_bounds__(256, 1) void MatrixKernel(const uint16_t* from,
                                                       float* out) {
  extern __shared__ __align__(1024) uint16_t shared[];
  for (int i = threadIdx.x; i < (64 + 256) * 64; i += blockDim.x) {
    shared[i] = from[i];
  }
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  const uint64_t a = Operand(shared);
  const uint64_t b = Operand(shared + 64 * 64);
  float c[4][32] = {};
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
  for (int i = 0; i < kProducts / 4; ++i) {
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      asm volatile(
          "{\n"
          "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
          "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"
          "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}, "
          "%32, %33, 1, 1, 1, 0, 0;\n"
          "}\n"
          : "+f"(c[n][0]), "+f"(c[n][1]), "+f"(c[n][2]), "+f"(c[n][3]),
            "+f"(c[n][4]), "+f"(c[n][5]), "+f"(c[n][6]), "+f"(c[n][7]),
            "+f"(c[n][8]), "+f"(c[n][9]), "+f"(c[n][10]), "+f"(c[n][11]),
            "+f"(c[n][12]), "+f"(c[n][13]), "+f"(c[n][14]), "+f"(c[n][15]),
            "+f"(c[n][16]), "+f"(c[n][17]), "+f"(c[n][18]), "+f"(c[n][19]),
            "+f"(c[n][20]), "+f"(c[n][21]), "+f"(c[n][22]), "+f"(c[n][23]),
            "+f"(c[n][24]), "+f"(c[n][25]), "+f"(c[n][26]), "+f"(c[n][27]),
            "+f"(c[n][28]), "+f"(c[n][29]), "+f"(c[n][30]), "+f"(c[n][31])
          : "l"(a), "l"(b + n * (64 * 128 >> 4)));
    }
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
  }
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  float sum = 0;
  for (int n = 0; n < 4; ++n) {
    for (int i = 0; i < 32; ++i) sum += c[n][i];
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

// A stream with two events, for the life of an arm.
struct Timer {
  Timer() {
    Check(cudaStreamCreate(&stream));
    Check(cudaEventCreate(&start));
    Check(cudaEventCreate(&stop));
  }
  ~Timer() {
    cudaEventDestroy(start);
    cudaEventDestroy(stop);
    cudaStreamDestroy(stream);
  }

  cudaStream_t stream;
  cudaEvent_t start;
  cudaEvent_t stop;
};

}  // namespace

void RequireCuda(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "CUDA: %s\n", what);
  std::exit(1);
}

DeviceMemory::~DeviceMemory() {
  for (void* array : arrays_) cudaFree(array);
}

void* DeviceMemory::Scratch(size_t bytes) {
  void* array = nullptr;
  Check(cudaMalloc(&array, bytes > 0 ? bytes : 1));
  arrays_.push_back(array);
  return array;
}

uint16_t* DeviceMemory::Normal(int64_t count, uint64_t seed) {
  auto* out = static_cast<uint16_t*>(Scratch(count * sizeof(uint16_t)));
  NormalKernel<<<1024, 256>>>(out, count, seed);
  Check(cudaDeviceSynchronize());
  return out;
}

uint8_t* DeviceMemory::Uniform(int64_t count, int low, int range,
                               uint64_t seed) {
  auto* out = static_cast<uint8_t*>(Scratch(count));
  UniformKernel<<<1024, 256>>>(out, count, low, range, seed);
  Check(cudaDeviceSynchronize());
  return out;
}

Arm DeviceArm(const std::string& name, int64_t bytes, int sets,
              std::function<void(int set, kernels::CudaStream stream)> run) {
  auto timer = std::make_shared<Timer>();
  auto turn = std::make_shared<int>(0);
  Arm arm;
  arm.name = name;
  arm.bytes = bytes;
  arm.timed_ms = [=] {
    const int set = (*turn)++ % sets;
    Check(cudaEventRecord(timer->start, timer->stream));
    run(set, timer->stream);
    Check(cudaEventRecord(timer->stop, timer->stream));
    Check(cudaEventSynchronize(timer->stop));
    float ms = 0;
    Check(cudaEventElapsedTime(&ms, timer->start, timer->stop));
    return double{ms};
  };
  return arm;
}

Arm CopyCeiling() {
  constexpr int64_t kBytes = int64_t{512} << 20;
  auto memory = std::make_shared<DeviceMemory>();
  uint8_t* from = memory->Uniform(kBytes, 0, 256, 1);
  void* to = memory->Scratch(kBytes);
  return DeviceArm("copy", 2 * kBytes, 1, [=](int, kernels::CudaStream stream) {
    static_cast<void>(memory);
    Check(cudaMemcpyAsync(to, from, kBytes, cudaMemcpyDeviceToDevice, stream));
  });
}

Arm MatrixCeiling(double* flop) {
  constexpr int kBytes = (64 + 256) * 64 * 2;
  constexpr int kThreads = 256;
  auto memory = std::make_shared<DeviceMemory>();
  const int blocks = kernels::MultiprocessorCount();
  const uint16_t* from = memory->Normal(kBytes / 2, 1);
  auto* out =
      static_cast<float*>(memory->Scratch(blocks * kThreads * sizeof(float)));
  *flop = 2.0 * 64 * 64 * 16 * kProducts * 2 * blocks;
  return DeviceArm("matrix", 0, 1, [=](int, kernels::CudaStream stream) {
    static_cast<void>(memory);
    MatrixKernel<<<blocks, kThreads, kBytes, stream>>>(from, out);
    Check(cudaGetLastError());
  });
}

std::string DeviceName() {
  int device = 0;
  cudaDeviceProp properties;
  Check(cudaGetDevice(&device));
  Check(cudaGetDeviceProperties(&properties, device));
  return properties.name;
}

}  // namespace qvg::bench
