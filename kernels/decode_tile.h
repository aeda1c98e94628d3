#ifndef KERNELS_DECODE_TILE_H_
#define KERNELS_DECODE_TILE_H_

#include <cstdint>

#include "kernels/error.h"
#include "kernels/packed_tensor.h"

namespace qvg::kernels {

// Whether decoding `tensor` reads only what is there: fields in range, no
// pointer missing that the encoding uses (a tensor of no tokens needs none).
Error Check(const PackedTensor& tensor);

// Writes tokens [first, first + tokens) of head `head` as FP32 rows out[
// tokens, D]. kResidual adds code * scale, the zero point if there is one, and
// then the centroids in the order of the stages, in FP32, and rounds once to
// BF16. kMinMax is code * scale + zero in FP32, with `hadamard` times that
// matrix (kernels/hadamard.h), rounded once to BF16. `tensor` passes Check().
void DecodeTile(const PackedTensor& tensor, int head, int64_t first,
                int64_t tokens, float* out);

// The plain version that the fast one is tested against. They agree bit for
// bit but for the rotation of kProduct.
void DecodeTileReference(const PackedTensor& tensor, int head, int64_t first,
                         int64_t tokens, float* out);

}  // namespace qvg::kernels

#endif  // KERNELS_DECODE_TILE_H_
