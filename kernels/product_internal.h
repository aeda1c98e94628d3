#ifndef KERNELS_PRODUCT_INTERNAL_H_
#define KERNELS_PRODUCT_INTERNAL_H_

#include <algorithm>
#include <cstdint>

#include "kernels/numeric.h"
#include "kernels/product.h"

namespace qvg::kernels::internal {

// What EncodeProduct refuses.
Error CheckProduct(const ProductArgs& args);

// Tokens that one work item takes at a time.
inline constexpr int kProductTile = 32;

// Up to kProductTile tokens of one head.
struct ProductTile {
  int head = 0;
  int64_t first = 0;
  int count = 0;
  const float* half_norms = nullptr;  // [P,256] of the head: |entry|^2 / 2
  float* rows = nullptr;              // [kProductTile,D], x
  float* columns = nullptr;           // [2,D,kProductTile]
  uint8_t* codes = nullptr;           // [P,kProductTile]
};

using ProductTileFunction = void (*)(const ProductArgs& args,
                                     const ProductTile& tile);
void ProductTileReference(const ProductArgs& args, const ProductTile& tile);
void ProductTileFast(const ProductArgs& args, const ProductTile& tile);

inline const float* CodebookOf(const ProductArgs& args, int head) {
  return args.tables.codebook +
         int64_t{head} * kProductEntries * args.rows.codec.head_dim;
}

// The scale that brings `entries` nearest to what its products were taken
// with. Anything but a number becomes the largest scale, so that decoding
// gives numbers.
constexpr uint8_t ProductScale(float row_times_entries, float entries_squared) {
  if (entries_squared == 0) return 0;
  const float scale = row_times_entries / entries_squared;
  if (!(scale < kMaxE4M3)) return FloatToE4M3(kMaxE4M3);
  return FloatToE4M3(std::max(scale, 0.0f));
}

}  // namespace qvg::kernels::internal

#endif  // KERNELS_PRODUCT_INTERNAL_H_
