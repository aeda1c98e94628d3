#ifndef TESTS_GOLDEN_QUANTIZING_H_
#define TESTS_GOLDEN_QUANTIZING_H_

#include <string>

#include "kernels/quantize.h"
#include "tests/golden/checks.h"
#include "tests/golden/compare.h"
#include "tests/golden/golden_case.h"

namespace qvg::golden {

Quantized QuantizePoints(const PointSet& points, kernels::QuantizeRule rule,
                         int bits, int block);

// Scales, zeros and codes bit for bit, but codes of blocks without a scale.
void ExpectQuantized(const Quantized& actual, const Quantized& expected,
                     int block_bytes, const std::string& what, Checks* checks);

}  // namespace qvg::golden

#endif  // TESTS_GOLDEN_QUANTIZING_H_
