#include "kernels/rows_internal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rows_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include "hwy/highway.h"
#include "kernels/numeric.h"
#include "kernels/simd_numeric-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qvg::kernels::internal {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

void RoundRowTarget(const float* in, int count, uint16_t* out) {
  RoundRowReference(in, count, out);
}

void SubtractRowTarget(const uint16_t* centroid, int count, uint16_t* row) {
  SubtractRowReference(centroid, count, row);
}

#else

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = qvg::kernels::HWY_NAMESPACE;

void RoundRowTarget(const float* in, int count, uint16_t* out) {
  for (int i = 0; i < count; i += simd::kLanes) {
    const auto value = hn::LoadU(simd::TagF32(), in + i);
    simd::StoreBFloat16(simd::RoundToBFloat16(value), out + i);
  }
}

void SubtractRowTarget(const uint16_t* centroid, int count, uint16_t* row) {
  constexpr simd::TagF32 df;
  const auto largest = hn::Set(df, kMaxBFloat16);
  for (int i = 0; i < count; i += simd::kLanes) {
    const auto difference =
        hn::Sub(simd::LoadBFloat16(row + i), simd::LoadBFloat16(centroid + i));
    const auto clamped = hn::Clamp(difference, hn::Neg(largest), largest);
    simd::StoreBFloat16(simd::RoundToBFloat16(clamped), row + i);
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace qvg::kernels::internal
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qvg::kernels::internal {

HWY_EXPORT(RoundRowTarget);
HWY_EXPORT(SubtractRowTarget);

void RoundRow(const float* in, int count, uint16_t* out) {
  HWY_DYNAMIC_DISPATCH(RoundRowTarget)(in, count, out);
}

void SubtractRow(const uint16_t* centroid, int count, uint16_t* row) {
  HWY_DYNAMIC_DISPATCH(SubtractRowTarget)(centroid, count, row);
}

}  // namespace qvg::kernels::internal
#endif  // HWY_ONCE
