#include <cmath>

#include "kernels/product_internal.h"

namespace qvg::kernels::internal {
namespace {

// out = rotation^T (x - mean)
void Rotate(const ProductArgs& args, int head, const float* x, float* out) {
  const int dim = args.rows.codec.head_dim;
  const float* rotation = args.tables.rotation + int64_t{head} * dim * dim;
  const float* mean = args.tables.mean + int64_t{head} * dim;
  for (int j = 0; j < dim; ++j) {
    out[j] = 0;
    for (int i = 0; i < dim; ++i) {
      out[j] += rotation[i * dim + j] * (x[i] - mean[i]);
    }
  }
}

float InverseRootMeanSquare(const float* row, int dim) {
  float sum = 0;
  for (int d = 0; d < dim; ++d) sum += row[d] * row[d];
  return sum > 0 ? std::sqrt(static_cast<float>(dim) / sum) : 0;
}

uint8_t Nearest(const float* part, float factor, const float* entries,
                const float* half_norms, int width) {
  int best = 0;
  float lowest = INFINITY;
  for (int k = 0; k < kProductEntries; ++k) {
    float score = half_norms[k];
    for (int w = 0; w < width; ++w) {
      score -= part[w] * factor * entries[k * width + w];
    }
    if (score < lowest) {
      lowest = score;
      best = k;
    }
  }
  return static_cast<uint8_t>(best);
}

}  // namespace

void ProductTileReference(const ProductArgs& args, const ProductTile& tile) {
  const int dim = args.rows.codec.head_dim;
  const int width = dim / args.parts;
  const float* book = CodebookOf(args, tile.head);
  for (int t = 0; t < tile.count; ++t) {
    float row[kMaxHeadDim];
    Rotate(args, tile.head, tile.rows + t * dim, row);
    const float factor = InverseRootMeanSquare(row, dim);
    const int64_t index = (tile.first + t) * args.rows.heads + tile.head;
    float product = 0;
    float squared = 0;
    for (int p = 0; p < args.parts; ++p) {
      const float* entries = book + p * kProductEntries * width;
      const uint8_t code =
          Nearest(row + p * width, factor, entries,
                  tile.half_norms + p * kProductEntries, width);
      args.codes[index * args.parts + p] = code;
      for (int w = 0; w < width; ++w) {
        const float entry = entries[code * width + w];
        product += row[p * width + w] * entry;
        squared += entry * entry;
      }
    }
    args.scales[index] = ProductScale(product, squared);
  }
}

}  // namespace qvg::kernels::internal
