#include "absl/strings/str_cat.h"
#include "server/generator/tinyworld/gpu_stream.h"

namespace qvg::tinyworld {

absl::StatusOr<GpuStream> MakeGpuStream(const c10::Device& device) {
  return absl::UnimplementedError(
      absl::StrCat("device: ", device.str(), ": built without CUDA"));
}

}  // namespace qvg::tinyworld
