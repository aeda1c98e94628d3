// What a build without CUDA has in place of device code.
#include "kernels/attention.h"
#include "kernels/copy_tokens.h"
#include "kernels/device_memory.h"
#include "kernels/encode.h"
#include "kernels/error.h"
#include "kernels/kmeans.h"
#include "kernels/min_max.h"
#include "kernels/product.h"
#include "kernels/quantize.h"
#include "kernels/rows.h"

namespace qvg::kernels {
namespace {

Error Missing() { return Error::Unimplemented("built without CUDA"); }

}  // namespace

Error CheckForDevice() { return Missing(); }

Error FreeDeviceMemory(size_t*) { return Missing(); }

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

Error DecodeRowsCuda(const PackedTensor&, int64_t, int64_t, uint16_t*,
                     CudaStream) {
  return Missing();
}

Error SubtractCentroidsCuda(const Points&, const uint16_t*, int, const uint8_t*,
                            CudaStream) {
  return Missing();
}

Error CopyTokensCuda(const PackedTensor&, Encoding, void*, CudaStream) {
  return Missing();
}

Error AllFiniteCuda(const PackedTensor&, int32_t*, CudaStream) {
  return Missing();
}

Error QuantizeCuda(const QuantizeArgs&, CudaStream) { return Missing(); }

Error EncodeMinMaxCuda(const MinMaxArgs&, CudaStream) { return Missing(); }

size_t KmeansCudaWorkspaceBytes(const KmeansArgs&) { return 0; }

Error KmeansAssignCuda(const KmeansArgs&, void*, size_t, CudaStream) {
  return Missing();
}

Error KmeansUpdateCuda(const KmeansArgs&, void*, size_t, CudaStream) {
  return Missing();
}

Error KmeansCuda(const KmeansArgs&, int, void*, size_t, CudaStream, int32_t*) {
  return Missing();
}

Error KmeansDrawCuda(const KmeansArgs&, uint64_t, CudaStream) {
  return Missing();
}

size_t ProductCudaWorkspaceBytes(const ProductArgs&) { return 0; }

Error EncodeProductCuda(const ProductArgs&, void*, size_t, CudaStream) {
  return Missing();
}

size_t EncodeCudaWorkspaceBytes(const EncodeArgs&) { return 0; }

Error EncodeCuda(const EncodeArgs&, void*, size_t, CudaStream) {
  return Missing();
}

}  // namespace qvg::kernels
