#include <cuda_runtime.h>

#include <utility>

#include "kernels/cuda_check.h"
#include "kernels/device_memory.h"

namespace qvg::kernels {

Error CheckForDevice() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    return Error::Unimplemented("device: this machine has none for CUDA");
  }
  return CheckDevice();
}

Error FreeDeviceMemory(size_t* bytes) {
  size_t total = 0;
  return ToError(cudaMemGetInfo(bytes, &total));
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (data_ != nullptr) cudaFree(data_);
}

Error DeviceBuffer::Allocate(size_t bytes) {
  *this = DeviceBuffer();
  if (bytes == 0) return Error::Ok();
  const cudaError_t error = cudaMalloc(&data_, bytes);
  if (error != cudaSuccess) {
    data_ = nullptr;
    // What was refused is no error of whoever launches next.
    cudaGetLastError();
    return ToError(error);
  }
  size_ = bytes;
  return Error::Ok();
}

OwnedStream::OwnedStream(OwnedStream&& other) noexcept
    : stream_(std::exchange(other.stream_, nullptr)) {}

OwnedStream& OwnedStream::operator=(OwnedStream&& other) noexcept {
  std::swap(stream_, other.stream_);
  return *this;
}

OwnedStream::~OwnedStream() {
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

Error OwnedStream::Create() {
  *this = OwnedStream();
  return ToError(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
}

Error FillDevice(void* device, int byte, size_t bytes, CudaStream stream) {
  return ToError(cudaMemsetAsync(device, byte, bytes, stream));
}

Error CopyToDevice(const void* host, size_t bytes, void* device,
                   CudaStream stream) {
  return ToError(
      cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream));
}

Error CopyToHost(const void* device, size_t bytes, void* host,
                 CudaStream stream) {
  return ToError(
      cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream));
}

Error Synchronize(CudaStream stream) {
  return ToError(cudaStreamSynchronize(stream));
}

}  // namespace qvg::kernels
