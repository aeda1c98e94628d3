// BF16 in Highway vectors of FP32. Included once per target, as Highway asks.
#if defined(KERNELS_SIMD_NUMERIC_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KERNELS_SIMD_NUMERIC_INL_H_
#undef KERNELS_SIMD_NUMERIC_INL_H_
#else
#define KERNELS_SIMD_NUMERIC_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace qvg::kernels {
namespace HWY_NAMESPACE {

// At most 16 lanes, so that a vector never spans two blocks of channels.
using TagF32 = hwy::HWY_NAMESPACE::CappedTag<float, 16>;
using VecF32 = hwy::HWY_NAMESPACE::Vec<TagF32>;
inline constexpr int kLanes =
    static_cast<int>(hwy::HWY_NAMESPACE::MaxLanes(TagF32()));

HWY_INLINE VecF32 LoadBFloat16(const uint16_t* values) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr hn::RebindToUnsigned<TagF32> du;
  constexpr hn::Rebind<uint16_t, TagF32> d16;
  const auto wide = hn::PromoteTo(du, hn::LoadU(d16, values));
  return hn::BitCast(TagF32(), hn::ShiftLeft<16>(wide));
}

// As the scalar RoundToBFloat16.
HWY_INLINE VecF32 RoundToBFloat16(VecF32 value) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr hn::RebindToUnsigned<TagF32> du;
  const auto bits = hn::BitCast(du, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  const auto sum = hn::Add(hn::Add(bits, hn::Set(du, 0x7fff)), odd);
  const auto rounded = hn::And(sum, hn::Set(du, 0xffff0000u));
  return hn::IfThenElse(hn::IsNaN(value), value,
                        hn::BitCast(TagF32(), rounded));
}

// Stores the upper halves of what RoundToBFloat16 returned.
HWY_INLINE void StoreBFloat16(VecF32 rounded, uint16_t* values) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr hn::RebindToUnsigned<TagF32> du;
  constexpr hn::Rebind<uint16_t, TagF32> d16;
  const auto upper = hn::ShiftRight<16>(hn::BitCast(du, rounded));
  hn::StoreU(hn::TruncateTo(d16, upper), d16, values);
}

}  // namespace HWY_NAMESPACE
}  // namespace qvg::kernels
HWY_AFTER_NAMESPACE();

#endif  // KERNELS_SIMD_NUMERIC_INL_H_
