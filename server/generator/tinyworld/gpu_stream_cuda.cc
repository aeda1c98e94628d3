#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include "absl/strings/str_cat.h"
#include "cache/kernel_status.h"
#include "kernels/device_memory.h"
#include "server/generator/tinyworld/gpu_stream.h"

namespace qvg::tinyworld {

absl::StatusOr<GpuStream> MakeGpuStream(const c10::Device& device) {
  const c10::DeviceIndex index = device.has_index() ? device.index() : 0;
  const c10::DeviceIndex count = c10::cuda::device_count();
  if (index >= count) {
    return absl::UnimplementedError(
        absl::StrCat("device: cuda:", index, ": this machine has ", count));
  }
  c10::cuda::set_device(index);
  const absl::Status usable = ToStatus(kernels::CheckForDevice());
  if (!usable.ok()) return usable;
  const c10::cuda::CUDAStream stream =
      c10::cuda::getStreamFromPool(/*isHighPriority=*/false, index);
  return GpuStream{
      stream.unwrap(), stream.stream(),
      absl::StrCat("cuda:", index, " (",
                   at::cuda::getDeviceProperties(index)->name, ")")};
}

}  // namespace qvg::tinyworld
