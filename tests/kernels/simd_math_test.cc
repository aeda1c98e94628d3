#include <cmath>
#include <cstdint>
#include <limits>

#include "gtest/gtest.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/kernels/simd_math_test.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include "hwy/highway.h"
#include "kernels/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qvg::kernels {
namespace HWY_NAMESPACE {

float Exp2Of(float x) {
  const hn::ScalableTag<float> d;
  return hn::GetLane(Exp2(d, hn::Set(d, x)));
}

}  // namespace HWY_NAMESPACE
}  // namespace qvg::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qvg::kernels {

HWY_EXPORT(Exp2Of);

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class Exp2Test : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { hwy::SetSupportedTargetsForTest(GetParam()); }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
  float Exp2(float x) { return HWY_DYNAMIC_DISPATCH(Exp2Of)(x); }
};

TEST_P(Exp2Test, IsWithinTheStatedError) {
  for (float x = -126; x < 126; x += .00137f) {
    const double exact = std::exp2(double{x});
    const float nearest = static_cast<float>(exact);
    const double ulp = double{std::nextafter(nearest, kInfinity)} - nearest;
    ASSERT_LE(std::abs(Exp2(x) - exact), 2.5 * ulp) << x;
  }
}

TEST_P(Exp2Test, IsExactForIntegers) {
  for (int x = -126; x <= 126; ++x) {
    EXPECT_EQ(Exp2(static_cast<float>(x)), std::ldexp(1.0f, x));
  }
}

TEST_P(Exp2Test, VanishesBelowTheNormalNumbers) {
  for (const float x : {-126.01f, -1e4f, -1e38f, -kInfinity}) {
    EXPECT_EQ(Exp2(x), 0.0f) << x;
  }
}

TEST_P(Exp2Test, KeepsNan) {
  EXPECT_TRUE(std::isnan(Exp2(std::numeric_limits<float>::quiet_NaN())));
}

INSTANTIATE_TEST_SUITE_P(Targets, Exp2Test,
                         testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& tested) {
                           return hwy::TargetName(tested.param);
                         });

}  // namespace
}  // namespace qvg::kernels
#endif  // HWY_ONCE
