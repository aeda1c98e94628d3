#include <algorithm>

#include "kernels/numeric.h"
#include "kernels/rows_internal.h"

namespace qvg::kernels::internal {

void RoundRowReference(const float* in, int count, uint16_t* out) {
  for (int i = 0; i < count; ++i) out[i] = FloatToBFloat16(in[i]);
}

void SubtractRowReference(const uint16_t* centroid, int count, uint16_t* row) {
  for (int i = 0; i < count; ++i) {
    const float difference =
        BFloat16ToFloat(row[i]) - BFloat16ToFloat(centroid[i]);
    row[i] =
        FloatToBFloat16(std::clamp(difference, -kMaxBFloat16, kMaxBFloat16));
  }
}

}  // namespace qvg::kernels::internal
