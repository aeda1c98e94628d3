#ifndef TESTS_GOLDEN_COMPARE_H_
#define TESTS_GOLDEN_COMPARE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace qvg::golden {

// Empty, or how many elements differ and where the first one does.
template <typename T>
std::string Differences(const std::vector<T>& actual,
                        const std::vector<T>& expected) {
  if (actual.size() != expected.size()) {
    return std::to_string(actual.size()) + " elements; must be " +
           std::to_string(expected.size());
  }
  size_t count = 0;
  size_t first = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    if (actual[i] == expected[i]) continue;
    if (count++ == 0) first = i;
  }
  if (count == 0) return "";
  return std::to_string(count) + " of " + std::to_string(actual.size()) +
         " differ, the first at " + std::to_string(first) + ": " +
         std::to_string(+actual[first]) + "; must be " +
         std::to_string(+expected[first]);
}

// What one token's block of channels was quantized to, in [T,H,.] order.
struct Quantized {
  std::vector<uint8_t> codes;
  std::vector<uint8_t> scales;
  std::vector<uint8_t> zeros;  // min-max only
};

// The same, but codes of blocks whose scale is 0 are free. `block_bytes` is
// the size of a block's codes.
std::string CodeDifferences(const Quantized& actual, const Quantized& expected,
                            int block_bytes);

}  // namespace qvg::golden

#endif  // TESTS_GOLDEN_COMPARE_H_
