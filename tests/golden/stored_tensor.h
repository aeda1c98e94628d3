#ifndef TESTS_GOLDEN_STORED_TENSOR_H_
#define TESTS_GOLDEN_STORED_TENSOR_H_

#include <cstdint>
#include <vector>

#include "kernels/packed_tensor.h"
#include "tests/golden/golden_case.h"

namespace qvg::golden {

// The encoded tensor of a codec case at one width, in memory of its own.
struct PackedCase {
  kernels::CodecDescriptor codec;
  int heads = 0;
  int64_t tokens = 0;
  std::vector<uint8_t> codes;
  std::vector<uint8_t> scales;
  std::vector<uint8_t> ids;
  std::vector<uint16_t> centroids;

  kernels::PackedTensor View() const;
};

// Throws GoldenError if sizes do not fit each other.
PackedCase LoadPacked(const GoldenCase& golden, int bits);

// All of it as BF16 [H,T,D].
PointSet Decode(const kernels::PackedTensor& tensor);

}  // namespace qvg::golden

#endif  // TESTS_GOLDEN_STORED_TENSOR_H_
