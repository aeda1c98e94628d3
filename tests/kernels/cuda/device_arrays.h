#ifndef TESTS_KERNELS_CUDA_DEVICE_ARRAYS_H_
#define TESTS_KERNELS_CUDA_DEVICE_ARRAYS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/cuda_stream.h"
#include "kernels/packed_tensor.h"

namespace qvg::kernels {

// Whether this build has device code and this machine a device for it.
bool HasGpu();

// Arrays in device memory that live as long as this. Errors of CUDA end the
// test program. Work goes to a stream of its own.
class DeviceArrays {
 public:
  DeviceArrays();
  ~DeviceArrays();
  DeviceArrays(const DeviceArrays&) = delete;
  DeviceArrays& operator=(const DeviceArrays&) = delete;

  // A copy of count elements at `host`; null stays null.
  template <typename T>
  T* Copy(const T* host, size_t count) {
    return host == nullptr
               ? nullptr
               : static_cast<T*>(CopyBytes(host, count * sizeof(T)));
  }

  // Bytes of a pattern that is NaN in every float type.
  void* Poisoned(size_t bytes);

  // A view of copies of everything that `tensor` reads.
  PackedTensor Copy(const PackedTensor& tensor);

  // Waits for the stream; copies back.
  template <typename T>
  void Fetch(const T* device, size_t count, T* host) {
    FetchBytes(device, count * sizeof(T), host);
  }

  CudaStream stream() const { return stream_; }

 private:
  void CopyResidual(PackedTensor* tensor);
  void CopyProduct(PackedTensor* tensor);
  void CopyMinMax(PackedTensor* tensor);
  void* CopyBytes(const void* host, size_t bytes);
  void FetchBytes(const void* device, size_t bytes, void* host);

  CudaStream stream_ = nullptr;
  std::vector<void*> arrays_;
};

}  // namespace qvg::kernels

#endif  // TESTS_KERNELS_CUDA_DEVICE_ARRAYS_H_
