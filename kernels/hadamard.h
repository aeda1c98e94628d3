#ifndef KERNELS_HADAMARD_H_
#define KERNELS_HADAMARD_H_

#include <cmath>

namespace qvg::kernels {

// row = row * H / sqrt(dim), in place, with the Sylvester matrix H[i][j] =
// (-1)^popcount(i & j); dim is a power of two. Butterflies of neighbours first,
// of halves last, then one product: all versions round alike.
template <typename Float>
void Hadamard(int dim, Float* row) {
  for (int half = 1; half < dim; half *= 2) {
    for (int first = 0; first < dim; first += 2 * half) {
      for (int i = first; i < first + half; ++i) {
        const Float a = row[i];
        const Float b = row[i + half];
        row[i] = a + b;
        row[i + half] = a - b;
      }
    }
  }
  const Float factor = 1 / std::sqrt(static_cast<Float>(dim));
  for (int i = 0; i < dim; ++i) row[i] *= factor;
}

}  // namespace qvg::kernels

#endif  // KERNELS_HADAMARD_H_
