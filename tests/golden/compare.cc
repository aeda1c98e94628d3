#include "tests/golden/compare.h"

#include <algorithm>

namespace qvg::golden {

std::string CodeDifferences(const Quantized& actual, const Quantized& expected,
                            int block_bytes) {
  std::vector<uint8_t> codes = actual.codes;
  const size_t blocks =
      std::min({expected.scales.size(), codes.size() / block_bytes,
                expected.codes.size() / block_bytes});
  for (size_t b = 0; b < blocks; ++b) {
    if ((expected.scales[b] & 0x7f) != 0) continue;
    std::copy_n(expected.codes.begin() + b * block_bytes, block_bytes,
                codes.begin() + b * block_bytes);
  }
  return Differences(codes, expected.codes);
}

}  // namespace qvg::golden
