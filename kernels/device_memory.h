#ifndef KERNELS_DEVICE_MEMORY_H_
#define KERNELS_DEVICE_MEMORY_H_

#include <cstddef>

#include "kernels/cuda_stream.h"
#include "kernels/error.h"

namespace qvg::kernels {

// Whether this build has device code and this machine a device for it: Ok, or
// kUnimplemented saying which of them is missing.
Error CheckForDevice();

// Bytes of the current device that nobody has.
Error FreeDeviceMemory(size_t* bytes);

// Memory of the current device, freed when destroyed, which waits for the
// device. Move-only; an empty one owns nothing.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept;
  ~DeviceBuffer();

  // Frees what it has, then takes `bytes` bytes, 256-byte aligned, of
  // unspecified content. kOutOfMemory leaves it empty.
  Error Allocate(size_t bytes);

  void* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

// A stream of its own, which does not wait for the default one. Move-only.
class OwnedStream {
 public:
  OwnedStream() = default;
  OwnedStream(OwnedStream&& other) noexcept;
  OwnedStream& operator=(OwnedStream&& other) noexcept;
  ~OwnedStream();

  Error Create();
  CudaStream get() const { return stream_; }

 private:
  CudaStream stream_ = nullptr;
};

// Enqueued in the order of the stream. Memory of the host must stay as it is
// until then; pageable memory is read before CopyToDevice returns.
Error FillDevice(void* device, int byte, size_t bytes, CudaStream stream);
Error CopyToDevice(const void* host, size_t bytes, void* device,
                   CudaStream stream);
Error CopyToHost(const void* device, size_t bytes, void* host,
                 CudaStream stream);

// Waits until all that was enqueued has run, and says whether it could.
Error Synchronize(CudaStream stream);

}  // namespace qvg::kernels

#endif  // KERNELS_DEVICE_MEMORY_H_
