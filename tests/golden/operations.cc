#include "tests/golden/operations.h"

#ifdef QVG_TEST_DEVICE
#include "tests/kernels/cuda/device_arrays.h"
#include "tests/kernels/cuda/on_device.h"
#endif

namespace qvg::golden {
namespace {

constexpr Operations kCpu = {&kernels::KmeansAssign,      &kernels::Kmeans,
                             &kernels::SubtractCentroids, &kernels::Quantize,
                             &kernels::EncodeMinMax,      &kernels::DecodeRows};

#ifdef QVG_TEST_DEVICE
constexpr Operations kCuda = {
    &kernels::KmeansAssignOnDevice,      &kernels::KmeansOnDevice,
    &kernels::SubtractCentroidsOnDevice, &kernels::QuantizeOnDevice,
    &kernels::EncodeMinMaxOnDevice,      &kernels::DecodeRowsOnDevice};
#endif

const Operations* selected = &kCpu;

}  // namespace

const Operations& Selected() { return *selected; }

bool Select(const std::string& device) {
#ifdef QVG_TEST_DEVICE
  if (device == "cuda" && kernels::HasGpu()) {
    selected = &kCuda;
    return true;
  }
#endif
  if (device != "cpu") return false;
  selected = &kCpu;
  return true;
}

}  // namespace qvg::golden
