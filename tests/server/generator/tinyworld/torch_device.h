#ifndef TESTS_SERVER_GENERATOR_TINYWORLD_TORCH_DEVICE_H_
#define TESTS_SERVER_GENERATOR_TINYWORLD_TORCH_DEVICE_H_

#include <ATen/ATen.h>
#include <ATen/Context.h>

namespace qvg::tinyworld {

// What a test of tensor code runs on: a GPU with BF16 tokens if there is one,
// else the CPU with FP32.
struct TestTypes {
  at::Device device;
  at::ScalarType token_type;
  double tolerance;  // of a relative error (norm)
};

inline TestTypes TestDevice() {
  if (at::hasCUDA()) return {at::kCUDA, at::kBFloat16, 1e-2};
  return {at::kCPU, at::kFloat, 1e-5};
}

}  // namespace qvg::tinyworld

#endif  // TESTS_SERVER_GENERATOR_TINYWORLD_TORCH_DEVICE_H_
