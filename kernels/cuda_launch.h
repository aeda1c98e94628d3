#ifndef KERNELS_CUDA_LAUNCH_H_
#define KERNELS_CUDA_LAUNCH_H_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

namespace qvg::kernels {

// For .cu files only.

inline bool IsAligned(const void* pointer, uintptr_t alignment) {
  return reinterpret_cast<uintptr_t>(pointer) % alignment == 0;
}

// Of the current device, which is there.
inline int MultiprocessorCount() {
  int device = 0;
  int count = 1;
  if (cudaGetDevice(&device) == cudaSuccess) {
    cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
  }
  return count;
}

// Blocks of a grid whose threads take `items` in strides: a few waves.
inline unsigned GridFor(int64_t items, int threads) {
  const int64_t blocks = (items + threads - 1) / threads;
  return static_cast<unsigned>(
      std::min<int64_t>(blocks, int64_t{16} * MultiprocessorCount()));
}

}  // namespace qvg::kernels

#endif  // KERNELS_CUDA_LAUNCH_H_
