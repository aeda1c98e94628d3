// Panels for Multiply(): rows and codebook entries, transposed or not.
// Included once per target, as Highway asks.
#if defined(KERNELS_PANELS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KERNELS_PANELS_INL_H_
#undef KERNELS_PANELS_INL_H_
#else
#define KERNELS_PANELS_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/multiply-inl.h"

HWY_BEFORE_NAMESPACE();
namespace qvg::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR  // which has no blocks of four lanes

// Rows of floats, some stride apart. A Group points at the rows of one vector
// of rows; rows past the end repeat the last.
struct RowSource {
  static constexpr bool kScaled = false;
  const float* rows = nullptr;
  size_t stride = 0;
  size_t count = 0;

  struct Group {
    const float* row[kStrip / 2];
    HWY_INLINE const float* Quad(size_t i, size_t channel) const {
      return row[i] + channel;
    }
  };
  HWY_INLINE Group At(size_t first) const {
    Group group;
    for (size_t i = 0; i < kStrip / 2; ++i) {
      group.row[i] = rows + HWY_MIN(first + i, count - 1) * stride;
    }
    return group;
  }
};

// Rows that are looked up: each code names one of 256 entries of four channels
// in its part's table, and a scale multiplies the whole row.
struct LookUpSource {
  static constexpr bool kScaled = true;
  const float* codebook = nullptr;  // [parts, 256, 4]
  const uint8_t* codes = nullptr;
  size_t stride = 0;  // of codes
  size_t count = 0;
  const float* scales = nullptr;  // aligned, whole vectors of them

  struct Group {
    const float* codebook;
    const uint8_t* codes[kStrip / 2];
    HWY_INLINE const float* Quad(size_t i, size_t channel) const {
      const size_t part = channel / 4;
      return codebook + part * 1024 + size_t{codes[i][part]} * 4;
    }
  };
  HWY_INLINE Group At(size_t first) const {
    Group group;
    group.codebook = codebook;
    for (size_t i = 0; i < kStrip / 2; ++i) {
      group.codes[i] = codes + HWY_MIN(first + i, count - 1) * stride;
    }
    return group;
  }
};

// Block b of the vector is the quad of row `row` + 4 b.
template <class D, class Group>
HWY_INLINE hn::Vec<D> LoadQuads(D d, const Group& group, size_t row,
                                size_t channel) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return hn::LoadU(d, group.Quad(row, channel));
  } else {
    const hn::Half<D> half;
    return hn::Combine(
        d, LoadQuads(half, group, row + hn::MaxLanes(half), channel),
        LoadQuads(half, group, row, channel));
  }
}

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
        if constexpr (Source::kScaled) {
          columns[i] = hn::Mul(columns[i], hn::Load(d, source.scales + row));
        }
        hn::Store(columns[i], d, out + (channel + i) * kStrip);
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
  const hn::FixedTag<float, 4> d4;
  for (size_t row = 0; row < source.count; ++row) {
    const uint8_t* codes = source.codes + row * source.stride;
    const float* table = source.codebook;
    float* out = panel + row * kStrip;
    const auto scale = hn::Set(d4, source.scales[row]);
    for (size_t c = 0; c < channels; c += kStrip) {
      for (size_t i = 0; i < kStrip; i += 4) {
        const float* entry = table + size_t{*codes++} * 4;
        hn::Store(hn::Mul(hn::LoadU(d4, entry), scale), d4, out + i);
        table += 1024;
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
