// What a build without CUDA has in place of device code.
#include "kernels/attention.h"
#include "kernels/device_memory.h"
#include "kernels/error.h"

namespace qvg::kernels {
namespace {

Error Missing() { return Error::Unimplemented("built without CUDA"); }

}  // namespace

Error CheckForDevice() { return Missing(); }

DeviceBuffer::DeviceBuffer(DeviceBuffer&&) noexcept {}
DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&&) noexcept { return *this; }
DeviceBuffer::~DeviceBuffer() {}
Error DeviceBuffer::Allocate(size_t) { return Missing(); }

OwnedStream::OwnedStream(OwnedStream&&) noexcept {}
OwnedStream& OwnedStream::operator=(OwnedStream&&) noexcept { return *this; }
OwnedStream::~OwnedStream() {}
Error OwnedStream::Create() { return Missing(); }

Error FillDevice(void*, int, size_t, CudaStream) { return Missing(); }
Error CopyToDevice(const void*, size_t, void*, CudaStream) { return Missing(); }
Error CopyToHost(const void*, size_t, void*, CudaStream) { return Missing(); }
Error Synchronize(CudaStream) { return Missing(); }

size_t AttentionCudaWorkspaceBytes(const AttentionArgs*, int) { return 0; }

Error AttentionCuda(const AttentionArgs*, int, void*, size_t, CudaStream) {
  return Missing();
}

}  // namespace qvg::kernels
