#ifndef TESTS_KERNELS_ON_DEVICE_H_
#define TESTS_KERNELS_ON_DEVICE_H_

#include "tests/kernels/attention_problem.h"

namespace qvg::kernels {

// Whether this build has device code and this machine a device for it.
bool HasGpu();

// AttentionCuda in the dress of its sibling: takes host memory. Null in builds
// without CUDA.
AttentionFunction AttentionOnDevice();

}  // namespace qvg::kernels

#endif  // TESTS_KERNELS_ON_DEVICE_H_
