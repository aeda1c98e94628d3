#include "kernels/quantize_internal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/quantize_cpu.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <cstring>

#include "hwy/highway.h"
#include "kernels/numeric.h"
#include "kernels/simd_numeric-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qvg::kernels::internal {
namespace HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

void QuantizeRowTarget(const QuantizeArgs& args, const QuantizeRow& row) {
  QuantizeRowReference(args, row);
}

#else

namespace hn = hwy::HWY_NAMESPACE;
namespace simd = qvg::kernels::HWY_NAMESPACE;
using simd::kLanes;
using simd::TagF32;
using simd::VecF32;

// Stores one vector of stored codes as kLanes * kBits / 8 bytes: every lane is
// shifted to where its byte has it, and the lanes of a 32-bit word add up.
template <int kBits>
class CodeWriter {
 public:
  CodeWriter() {
    constexpr int kPerByte = 8 / kBits;
    for (int i = 0; i < kLanes; ++i) {
      const int byte = i / kPerByte;
      shifts_[i] = 8 * (byte % 4) + 8 - kBits * (i % kPerByte + 1);
    }
  }

  void Write(VecF32 stored, uint8_t* bytes) const {
    constexpr hn::RebindToUnsigned<TagF32> du;
    constexpr hn::RebindToSigned<TagF32> di;
    constexpr size_t kBytes = kLanes * kBits / 8;
    const auto codes = hn::BitCast(du, hn::ConvertTo(di, stored));
    const auto placed = hn::Shl(codes, hn::Load(du, shifts_));
    if constexpr (kBytes <= 4) {
      const uint32_t word = hn::GetLane(hn::SumOfLanes(du, placed));
      std::memcpy(bytes, &word, kBytes);
    } else {
      const auto first = hn::FirstN(du, 32 / kBits);
      const auto low = hn::IfThenElseZero(first, placed);
      const auto high = hn::IfThenZeroElse(first, placed);
      const uint32_t words[2] = {hn::GetLane(hn::SumOfLanes(du, low)),
                                 hn::GetLane(hn::SumOfLanes(du, high))};
      std::memcpy(bytes, words, kBytes);
    }
  }

 private:
  HWY_ALIGN uint32_t shifts_[kLanes];
};

float Absmax(const uint16_t* values, int count) {
  auto absmax = hn::Zero(TagF32());
  for (int i = 0; i < count; i += kLanes) {
    absmax = hn::Max(absmax, hn::Abs(simd::LoadBFloat16(values + i)));
  }
  return hn::GetLane(hn::MaxOfLanes(TagF32(), absmax));
}

// Quotients within +-limit, 0 where the scale is 0.
VecF32 Quotient(VecF32 value, float scale, VecF32 low, VecF32 high) {
  if (scale == 0) return hn::Zero(TagF32());
  return hn::Clamp(hn::Div(value, hn::Set(TagF32(), scale)), low, high);
}

// Nearest integer, halves away from 0. Adding .5 first would round up the
// number just below it.
VecF32 RoundAwayFromZero(VecF32 value) {
  constexpr TagF32 df;
  const auto whole = hn::Trunc(value);
  const auto away = hn::Ge(hn::Abs(hn::Sub(value, whole)), hn::Set(df, 0.5f));
  const auto one = hn::CopySign(hn::Set(df, 1.0f), value);
  return hn::Add(whole, hn::IfThenElseZero(away, one));
}

template <int kBits, QuantizeRule kRule>
void QuantizeSymmetric(const QuantizeArgs& args, const QuantizeRow& row) {
  const CodeWriter<kBits> writer;
  const auto limit =
      hn::Set(TagF32(), static_cast<float>((1 << (kBits - 1)) - 1));
  for (int d = 0; d < args.points.dim; d += args.block) {
    const float absmax = Absmax(row.values + d, args.block);
    const uint8_t pattern = kRule == QuantizeRule::kAbsmax
                                ? AbsmaxScale(absmax, kBits)
                                : RoundToNearestScale(absmax, kBits);
    row.scales[d / args.block] = pattern;
    for (int i = d; i < d + args.block; i += kLanes) {
      const auto quotient =
          Quotient(simd::LoadBFloat16(row.values + i), kE4M3Values[pattern],
                   hn::Neg(limit), limit);
      const auto code = kRule == QuantizeRule::kAbsmax
                            ? RoundAwayFromZero(quotient)
                            : hn::Round(simd::RoundToBFloat16(quotient));
      writer.Write(hn::Add(code, limit), row.codes + i * kBits / 8);
    }
  }
}

template <int kBits>
void QuantizeMinMax(const QuantizeArgs& args, const QuantizeRow& row) {
  constexpr TagF32 df;
  const CodeWriter<kBits> writer;
  const auto limit = hn::Set(df, static_cast<float>((1 << kBits) - 1));
  for (int d = 0; d < args.points.dim; d += args.block) {
    auto min = simd::LoadBFloat16(row.values + d);
    auto max = min;
    for (int i = d + kLanes; i < d + args.block; i += kLanes) {
      min = hn::Min(min, simd::LoadBFloat16(row.values + i));
      max = hn::Max(max, simd::LoadBFloat16(row.values + i));
    }
    const float lowest = hn::GetLane(hn::MinOfLanes(df, min));
    const float highest = hn::GetLane(hn::MaxOfLanes(df, max));
    const uint8_t pattern = MinMaxScale(lowest, highest, kBits);
    const uint8_t zero = FloatToE4M3(lowest);
    row.scales[d / args.block] = pattern;
    row.zeros[d / args.block] = zero;
    for (int i = d; i < d + args.block; i += kLanes) {
      const auto offset = hn::Sub(simd::LoadBFloat16(row.values + i),
                                  hn::Set(df, kE4M3Values[zero]));
      const auto quotient =
          Quotient(offset, kE4M3Values[pattern], hn::Zero(df), limit);
      writer.Write(RoundAwayFromZero(quotient), row.codes + i * kBits / 8);
    }
  }
}

template <int kBits>
void QuantizeRowBits(const QuantizeArgs& args, const QuantizeRow& row) {
  switch (args.rule) {
    case QuantizeRule::kAbsmax:
      return QuantizeSymmetric<kBits, QuantizeRule::kAbsmax>(args, row);
    case QuantizeRule::kMinMax:
      return QuantizeMinMax<kBits>(args, row);
    case QuantizeRule::kRoundToNearest:
      return QuantizeSymmetric<kBits, QuantizeRule::kRoundToNearest>(args, row);
    case QuantizeRule::kSearch:
    case QuantizeRule::kFourLevels:
    case QuantizeRule::kFourSearch:
      return QuantizeRowSearch(args, row);
  }
}

void QuantizeRowTarget(const QuantizeArgs& args, const QuantizeRow& row) {
  if (args.bits == 2) return QuantizeRowBits<2>(args, row);
  QuantizeRowBits<4>(args, row);
}

#endif  // HWY_TARGET == HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace qvg::kernels::internal
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qvg::kernels::internal {

HWY_EXPORT(QuantizeRowTarget);

void QuantizeRowFast(const QuantizeArgs& args, const QuantizeRow& row) {
  HWY_DYNAMIC_DISPATCH(QuantizeRowTarget)(args, row);
}

}  // namespace qvg::kernels::internal
#endif  // HWY_ONCE
