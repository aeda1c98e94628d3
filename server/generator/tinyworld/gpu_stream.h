#ifndef SERVER_GENERATOR_TINYWORLD_GPU_STREAM_H_
#define SERVER_GENERATOR_TINYWORLD_GPU_STREAM_H_

#include <c10/core/StreamGuard.h>

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "kernels/cuda_stream.h"

namespace qvg::tinyworld {

// A stream of a GPU, for LibTorch's operations and for our kernels.
struct GpuStream {
  c10::Stream torch;
  kernels::CudaStream raw = nullptr;  // the same one
  std::string name;                   // "cuda:0 (NVIDIA H100 80GB HBM3)"
};

// One of LibTorch's streams, which live as long as the process, on `device`,
// which becomes the thread's current one. UNIMPLEMENTED if the build has no
// device code, or the machine no such device.
absl::StatusOr<GpuStream> MakeGpuStream(const c10::Device& device);

// Makes it the thread's current one, if there is one, while the result lives.
inline c10::OptionalStreamGuard Use(const std::optional<GpuStream>& gpu) {
  return gpu ? c10::OptionalStreamGuard(gpu->torch)
             : c10::OptionalStreamGuard();
}

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_GPU_STREAM_H_
