#ifndef KERNELS_CUDA_CHECK_H_
#define KERNELS_CUDA_CHECK_H_

#include <cuda_runtime.h>

#include "kernels/error.h"

namespace qvg::kernels {

// For .cu files only.

inline Error ToError(cudaError_t error) {
  if (error == cudaSuccess) return Error::Ok();
  const Error::Code code = error == cudaErrorMemoryAllocation
                               ? Error::Code::kOutOfMemory
                               : Error::Code::kDevice;
  return {code, cudaGetErrorString(error)};
}

// Of the launch before.
inline Error LaunchError() { return ToError(cudaGetLastError()); }

// Whether the current device runs code for sm_90a.
inline Error CheckDevice() {
  int device = 0;
  int major = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) {
    error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor,
                                   device);
  }
  if (error != cudaSuccess) return ToError(error);
  if (major != 9) {
    return Error::Unimplemented("device: needs compute capability 9.0");
  }
  return Error::Ok();
}

}  // namespace qvg::kernels

#endif  // KERNELS_CUDA_CHECK_H_
