#include "kernels/rows.h"

#include <algorithm>

#include "kernels/decode_tile.h"
#include "kernels/rows_internal.h"

namespace qvg::kernels {
namespace {

using internal::kRowTile;
using internal::Tiles;

struct TileOfRows {
  int head;
  int64_t first;
  int64_t tokens;
};

// Calls body(TileOfRows) for `tokens` tokens of every head.
template <typename Body>
void ForEachTile(int heads, int64_t tokens, ParallelFor& parallel_for,
                 const Body& body) {
  const int64_t tiles = Tiles(tokens, kRowTile);
  parallel_for(heads * tiles, [&](int64_t item, int) {
    const int64_t first = item % tiles * kRowTile;
    body(TileOfRows{static_cast<int>(item / tiles), first,
                    std::min<int64_t>(kRowTile, tokens - first)});
  });
}

using DecodeFunction = void (*)(const PackedTensor& tensor, int head,
                                int64_t first, int64_t tokens, float* out);
using RoundFunction = void (*)(const float* in, int count, uint16_t* out);

Error Decode(DecodeFunction decode, RoundFunction round,
             const PackedTensor& tensor, int64_t first, int64_t tokens,
             uint16_t* out, ParallelFor& parallel_for) {
  const Error error = internal::CheckDecode(tensor, first, tokens, out);
  if (!error.ok()) return error;
  const int dim = tensor.codec.head_dim;
  ForEachTile(tensor.heads, tokens, parallel_for, [&](const TileOfRows& tile) {
    float rows[kRowTile * kMaxHeadDim];
    decode(tensor, tile.head, first + tile.first, tile.tokens, rows);
    round(rows, static_cast<int>(tile.tokens) * dim,
          out + (tile.head * tokens + tile.first) * dim);
  });
  return Error::Ok();
}

using SubtractFunction = void (*)(const uint16_t* centroid, int count,
                                  uint16_t* row);

Error Subtract(SubtractFunction subtract, const Points& points,
               const uint16_t* centroids, int centroids_per_head,
               const uint8_t* ids, ParallelFor& parallel_for) {
  const Error error = internal::CheckSubtract(points, centroids, ids);
  if (!error.ok()) return error;
  const int dim = points.dim;
  ForEachTile(
      points.heads, points.tokens, parallel_for, [&](const TileOfRows& tile) {
        const int64_t first = tile.head * points.tokens + tile.first;
        for (int64_t row = first; row < first + tile.tokens; ++row) {
          const int64_t centroid =
              int64_t{tile.head} * centroids_per_head + ids[row];
          subtract(centroids + centroid * dim, dim, points.values + row * dim);
        }
      });
  return Error::Ok();
}

}  // namespace

namespace internal {

Error CheckDecode(const PackedTensor& tensor, int64_t first, int64_t tokens,
                  const uint16_t* out) {
  const Error error = Check(tensor);
  if (!error.ok()) return error;
  if (first < 0 || tokens < 0 || first > tensor.tokens - tokens) {
    return Error::Invalid("first, tokens: not within the tensor");
  }
  if (tokens > 0 && out == nullptr) return Error::Invalid("out: null");
  return Error::Ok();
}

Error CheckSubtract(const Points& points, const uint16_t* centroids,
                    const uint8_t* ids) {
  const Error error = Check(points);
  if (!error.ok()) return error;
  if (points.tokens > 0 && (centroids == nullptr || ids == nullptr)) {
    return Error::Invalid("centroids, ids: null");
  }
  return Error::Ok();
}

}  // namespace internal

Error Check(const Points& points) {
  if (points.heads < 1) return Error::Invalid("heads: must be at least 1");
  if (points.tokens < 0) return Error::Invalid("tokens: must not be negative");
  if (points.dim < 16 || points.dim > kMaxHeadDim || points.dim % 16 != 0) {
    return Error::Invalid("dim: must be a multiple of 16, at most 256");
  }
  if (points.tokens > 0 && points.values == nullptr) {
    return Error::Invalid("points: null");
  }
  return Error::Ok();
}

Error DecodeRows(const PackedTensor& tensor, int64_t first, int64_t tokens,
                 uint16_t* out, ParallelFor& parallel_for) {
  return Decode(&DecodeTile, &internal::RoundRow, tensor, first, tokens, out,
                parallel_for);
}

Error DecodeRowsReference(const PackedTensor& tensor, int64_t first,
                          int64_t tokens, uint16_t* out,
                          ParallelFor& parallel_for) {
  return Decode(&DecodeTileReference, &internal::RoundRowReference, tensor,
                first, tokens, out, parallel_for);
}

Error SubtractCentroids(const Points& points, const uint16_t* centroids,
                        int centroids_per_head, const uint8_t* ids,
                        ParallelFor& parallel_for) {
  return Subtract(&internal::SubtractRow, points, centroids, centroids_per_head,
                  ids, parallel_for);
}

Error SubtractCentroidsReference(const Points& points,
                                 const uint16_t* centroids,
                                 int centroids_per_head, const uint8_t* ids,
                                 ParallelFor& parallel_for) {
  return Subtract(&internal::SubtractRowReference, points, centroids,
                  centroids_per_head, ids, parallel_for);
}

}  // namespace qvg::kernels
