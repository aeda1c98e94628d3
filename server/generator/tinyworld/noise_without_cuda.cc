#include "server/generator/tinyworld/noise.h"

namespace qvg::tinyworld {

kernels::Error FillNoiseCuda(uint64_t, int64_t, int, int64_t, float*,
                             kernels::CudaStream) {
  return kernels::Error::Unimplemented("built without CUDA");
}

}  // namespace qvg::tinyworld
