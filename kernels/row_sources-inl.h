// Where panels take their rows from: memory or codebooks. Included once per
// target, as Highway asks.
#if defined(KERNELS_ROW_SOURCES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KERNELS_ROW_SOURCES_INL_H_
#undef KERNELS_ROW_SOURCES_INL_H_
#else
#define KERNELS_ROW_SOURCES_INL_H_
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
// in its part's table, and a scale multiplies the whole row. A Group is as
// above.
struct LookUpSource {
  static constexpr size_t kTable = 256 * 4;

  const float* codebook = nullptr;  // [parts, 256, 4]
  const uint8_t* codes = nullptr;
  size_t stride = 0;  // of codes
  size_t count = 0;
  const float* scales = nullptr;  // aligned, whole vectors of them

  struct Group {
    const float* codebook;
    const uint8_t* row[kStrip / 2];
    HWY_INLINE const float* Quad(size_t i, size_t channel) const {
      return codebook + channel / 4 * kTable + size_t{row[i][channel / 4]} * 4;
    }
  };
  HWY_INLINE Group At(size_t first) const {
    Group group;
    group.codebook = codebook;
    for (size_t i = 0; i < kStrip / 2; ++i) {
      group.row[i] = codes + HWY_MIN(first + i, count - 1) * stride;
    }
    return group;
  }
};

// The quads that follow each other in one looked-up row, as a group.
struct RowOfQuads {
  const float* table;
  const uint8_t* codes;
  HWY_INLINE const float* Quad(size_t i, size_t) const {
    return table + i / 4 * LookUpSource::kTable + size_t{codes[i / 4]} * 4;
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

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace qvg::kernels
HWY_AFTER_NAMESPACE();

#endif  // KERNELS_ROW_SOURCES_INL_H_
