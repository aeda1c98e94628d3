// Dense products for the kernels' Highway targets: rows times a panelled
// matrix. Included once per target, as Highway asks.
#if defined(KERNELS_MULTIPLY_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef KERNELS_MULTIPLY_INL_H_
#undef KERNELS_MULTIPLY_INL_H_
#else
#define KERNELS_MULTIPLY_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace qvg::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR  // which has no blocks of four lanes

// Columns of one strip of a panel: two vectors.
constexpr size_t kStrip = 2 * hn::MaxLanes(hn::ScalableTag<float>());

// c[r,j] = start + sum over k of a[r,k] * b[k,j], k rising, every step fused
// (where the target can), so that a row's bits depend on that row and b alone.
// b is a panel [columns / kStrip, depth, kStrip], aligned.
struct Product {
  const float* a = nullptr;  // [rows, depth]
  size_t a_stride = 0;
  size_t rows = 0;
  size_t depth = 0;
  const float* panel = nullptr;
  size_t columns = 0;  // a multiple of kStrip
  float* c = nullptr;  // [rows, columns], rows aligned
  size_t c_stride = 0;
  // Starts of the sums, one per row; null: what c holds.
  const float* starts = nullptr;
};

// Rows that one pass keeps in registers: 6 x 2 accumulators hide the latency
// of a fused multiply-add and leave room for two columns and one factor.
constexpr size_t kRowsInRegisters = 6;

template <size_t kRows>
HWY_INLINE void MultiplyRows(const Product& p, size_t row,
                             const float* HWY_RESTRICT strip, float* c) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const size_t lanes = hn::Lanes(d);
  V low[kRows];
  V high[kRows];
  for (size_t r = 0; r < kRows; ++r) {
    if (p.starts != nullptr) {
      low[r] = high[r] = hn::Set(d, p.starts[row + r]);
    } else {
      low[r] = hn::Load(d, c + r * p.c_stride);
      high[r] = hn::Load(d, c + r * p.c_stride + lanes);
    }
  }
  const float* HWY_RESTRICT a = p.a + row * p.a_stride;
  for (size_t k = 0; k < p.depth; ++k) {
    const V b_low = hn::Load(d, strip + k * kStrip);
    const V b_high = hn::Load(d, strip + k * kStrip + lanes);
    for (size_t r = 0; r < kRows; ++r) {
      const V factor = hn::Set(d, a[r * p.a_stride + k]);
      low[r] = hn::MulAdd(factor, b_low, low[r]);
      high[r] = hn::MulAdd(factor, b_high, high[r]);
    }
  }
  for (size_t r = 0; r < kRows; ++r) {
    hn::Store(low[r], d, c + r * p.c_stride);
    hn::Store(high[r], d, c + r * p.c_stride + lanes);
  }
}

HWY_INLINE void MultiplyGroup(const Product& p, size_t row, size_t rows,
                              const float* strip, float* c) {
  switch (rows) {
    case 1:
      return MultiplyRows<1>(p, row, strip, c);
    case 2:
      return MultiplyRows<2>(p, row, strip, c);
    case 3:
      return MultiplyRows<3>(p, row, strip, c);
    case 4:
      return MultiplyRows<4>(p, row, strip, c);
    case 5:
      return MultiplyRows<5>(p, row, strip, c);
    default:
      return MultiplyRows<6>(p, row, strip, c);
  }
}

// Rows are dealt evenly to the groups: six and five keep the units busy, a
// rest of one or two would not.
inline void Multiply(const Product p) {
  const size_t groups = (p.rows + kRowsInRegisters - 1) / kRowsInRegisters;
  const size_t fewest = p.rows / HWY_MAX(groups, size_t{1});
  const size_t larger_groups = p.rows - fewest * groups;
  for (size_t column = 0; column < p.columns; column += kStrip) {
    const float* strip = p.panel + column * p.depth;
    size_t row = 0;
    for (size_t g = 0; g < groups; ++g) {
      const size_t rows = fewest + (g < larger_groups ? 1 : 0);
      MultiplyGroup(p, row, rows, strip, p.c + row * p.c_stride + column);
      row += rows;
    }
  }
}

#endif  // HWY_TARGET != HWY_SCALAR

}  // namespace HWY_NAMESPACE
}  // namespace qvg::kernels
HWY_AFTER_NAMESPACE();

#endif  // KERNELS_MULTIPLY_INL_H_
