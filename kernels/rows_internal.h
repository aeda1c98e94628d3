#ifndef KERNELS_ROWS_INTERNAL_H_
#define KERNELS_ROWS_INTERNAL_H_

#include <cstdint>

#include "kernels/error.h"
#include "kernels/packed_tensor.h"
#include "kernels/rows.h"

namespace qvg::kernels::internal {

// Tokens that one work item takes at a time.
inline constexpr int kRowTile = 16;

// Work items of `tokens` tokens in tiles of `tile`.
inline int64_t Tiles(int64_t tokens, int64_t tile) {
  return (tokens + tile - 1) / tile;
}

// What DecodeRows and SubtractCentroids refuse.
Error CheckDecode(const PackedTensor& tensor, int64_t first, int64_t tokens,
                  const uint16_t* out);
Error CheckSubtract(const Points& points, const uint16_t* centroids,
                    const uint8_t* ids);

// out[i] = BF16 of in[i]; count is a multiple of 16.
void RoundRow(const float* in, int count, uint16_t* out);
void RoundRowReference(const float* in, int count, uint16_t* out);

// row[i] = BF16 of row[i] - centroid[i], saturated; count as above.
void SubtractRow(const uint16_t* centroid, int count, uint16_t* row);
void SubtractRowReference(const uint16_t* centroid, int count, uint16_t* row);

}  // namespace qvg::kernels::internal

#endif  // KERNELS_ROWS_INTERNAL_H_
