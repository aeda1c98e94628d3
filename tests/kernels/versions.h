#ifndef TESTS_KERNELS_VERSIONS_H_
#define TESTS_KERNELS_VERSIONS_H_

#include "gtest/gtest.h"

#ifdef QVG_TEST_DEVICE
#include <cstring>

#include "tests/kernels/cuda/device_arrays.h"
#endif

namespace qvg::kernels {

// A test whose parameter is a version of an operation. Those of the
// instantiation "Device", which builds with CUDA have, are skipped on a machine
// without a GPU.
template <typename Function>
class VersionTest : public ::testing::TestWithParam<Function> {
#ifdef QVG_TEST_DEVICE

 protected:
  void SetUp() override {
    const auto* suite =
        ::testing::UnitTest::GetInstance()->current_test_suite();
    if (std::strncmp(suite->name(), "Device/", 7) == 0 && !HasGpu()) {
      GTEST_SKIP() << "NO GPU: the device version was not tested";
    }
  }
#endif
};

}  // namespace qvg::kernels

#endif  // TESTS_KERNELS_VERSIONS_H_
