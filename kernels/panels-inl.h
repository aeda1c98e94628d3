// Panels for Multiply(): rows and codebook entries, transposed or not.
// Included once per target, as Highway asks.
#if defined(KERNELS_PANELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KERNELS_PANELS_INL_H_
#undef KERNELS_PANELS_INL_H_
#else
#define KERNELS_PANELS_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "kernels/multiply-inl.h"
#include "kernels/row_sources-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qvg::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR  // which has no blocks of four lanes

// Four channels of one vector of rows, transposed: out[channel, row].
template <class D, class Group, class V = hn::Vec<D>>
HWY_INLINE void TransposeQuads(D d, const Group& group, size_t channel,
                               V (&out)[4]) {
  const V a = LoadQuads(d, group, 0, channel);
  const V b = LoadQuads(d, group, 1, channel);
  const V c = LoadQuads(d, group, 2, channel);
  const V e = LoadQuads(d, group, 3, channel);
  const V ac_low = hn::InterleaveLower(d, a, c);
  const V ac_high = hn::InterleaveUpper(d, a, c);
  const V be_low = hn::InterleaveLower(d, b, e);
  const V be_high = hn::InterleaveUpper(d, b, e);
  out[0] = hn::InterleaveLower(d, ac_low, be_low);
  out[1] = hn::InterleaveUpper(d, ac_low, be_low);
  out[2] = hn::InterleaveLower(d, ac_high, be_high);
  out[3] = hn::InterleaveUpper(d, ac_high, be_high);
}

HWY_INLINE void StoreScaled(hn::Vec<hn::ScalableTag<float>> values,
                            const RowSource&, size_t, float* out) {
  hn::Store(values, hn::ScalableTag<float>(), out);
}
HWY_INLINE void StoreScaled(hn::Vec<hn::ScalableTag<float>> values,
                            const LookUpSource& source, size_t row,
                            float* out) {
  const hn::ScalableTag<float> d;
  hn::Store(hn::Mul(values, hn::Load(d, source.scales + row)), d, out);
}

// Makes the rows of `source` the columns of the panel
// [ceil(count / kStrip), channels, kStrip]. Columns past the end are filled
// with anything.
template <class Source>
void TransposedPanel(const Source& source, size_t channels,
                     float* HWY_RESTRICT panel) {
  const hn::ScalableTag<float> d;
  for (size_t row = 0; row < source.count; row += kStrip / 2) {
    const auto group = source.At(row);
    float* out = panel + row / kStrip * channels * kStrip + row % kStrip;
    for (size_t channel = 0; channel < channels; channel += 4) {
      hn::Vec<decltype(d)> columns[4];
      TransposeQuads(d, group, channel, columns);
      for (size_t i = 0; i < 4; ++i) {
        StoreScaled(columns[i], source, row, out + (channel + i) * kStrip);
      }
    }
  }
}

// Makes the rows of `source` the rows of the panel
// [channels / kStrip, count, kStrip].
inline void Panel(const RowSource& source, size_t channels,
                  float* HWY_RESTRICT panel) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t row = 0; row < source.count; ++row) {
    const float* in = source.rows + row * source.stride;
    float* out = panel + row * kStrip;
    for (size_t c = 0; c < channels; c += kStrip) {
      hn::Store(hn::LoadU(d, in + c), d, out);
      hn::Store(hn::LoadU(d, in + c + lanes), d, out + lanes);
      out += source.count * kStrip;
    }
  }
}

inline void Panel(const LookUpSource& source, size_t channels,
                  float* HWY_RESTRICT panel) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  for (size_t row = 0; row < source.count; ++row) {
    RowOfQuads quads = {source.codebook, source.codes + row * source.stride};
    const auto scale = hn::Set(d, source.scales[row]);
    float* out = panel + row * kStrip;
    for (size_t c = 0; c < channels; c += kStrip) {
      for (size_t half = 0; half < kStrip; half += lanes) {
        hn::Store(hn::Mul(LoadQuads(d, quads, 0, 0), scale), d, out + half);
        quads.table += lanes / 4 * LookUpSource::kTable;
        quads.codes += lanes / 4;
      }
      out += source.count * kStrip;
    }
  }
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace qvg::kernels
HWY_AFTER_NAMESPACE();

#endif  // KERNELS_PANELS_INL_H_
