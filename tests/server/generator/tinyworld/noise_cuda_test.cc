#include <gtest/gtest.h>

#include <vector>

#include "kernels/device_memory.h"
#include "server/generator/tinyworld/noise.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

class NoiseCudaTest : public testing::Test {
 protected:
  void SetUp() override {
    const kernels::Error error = kernels::CheckForDevice();
    if (!error.ok()) GTEST_SKIP() << error.message;
    ASSERT_TRUE(stream_.Create().ok());
  }

  // Room for one value more, which stays as it is.
  std::vector<float> OnDevice(uint64_t seed, int64_t chunk, int step,
                              int64_t count) {
    const size_t bytes = static_cast<size_t>(count + 1) * sizeof(float);
    std::vector<float> values(count + 1);
    kernels::DeviceBuffer buffer;
    EXPECT_TRUE(buffer.Allocate(bytes).ok());
    auto* out = static_cast<float*>(buffer.data());
    EXPECT_TRUE(kernels::FillDevice(out, 0, bytes, stream_.get()).ok());
    EXPECT_TRUE(
        FillNoiseCuda(seed, chunk, step, count, out, stream_.get()).ok());
    EXPECT_TRUE(
        kernels::CopyToHost(out, bytes, values.data(), stream_.get()).ok());
    EXPECT_TRUE(kernels::Synchronize(stream_.get()).ok());
    EXPECT_EQ(values.back(), 0);
    values.pop_back();
    return values;
  }

  kernels::OwnedStream stream_;
};

TEST_F(NoiseCudaTest, HasTheBitsOfTheCpu) {
  constexpr int64_t kCount = int64_t{kTokens} * kTokenValues;
  for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{511},
                              int64_t{513}, kCount}) {
    for (const uint64_t seed : {uint64_t{7}, uint64_t{1} << 63}) {
      std::vector<float> values(count);
      FillNoise(seed, 3, 1, absl::MakeSpan(values));
      EXPECT_EQ(OnDevice(seed, 3, 1, count), values) << count;
    }
  }
}

TEST_F(NoiseCudaTest, NegativeCountsAreRefused) {
  EXPECT_FALSE(FillNoiseCuda(1, 0, 0, -1, nullptr, stream_.get()).ok());
}

}  // namespace
}  // namespace qvg::tinyworld
