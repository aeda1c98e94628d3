#include "tests/golden/quantizing.h"

#include "kernels/parallel_for.h"
#include "tests/golden/operations.h"

namespace qvg::golden {

using kernels::QuantizeRule;

Quantized QuantizePoints(const PointSet& points, QuantizeRule rule, int bits,
                         int block) {
  PointSet copy = points;
  const int64_t channels = points.heads * points.tokens * points.dim;
  Quantized out;
  out.codes.resize(channels * bits / 8);
  out.scales.resize(channels / block);
  if (rule == QuantizeRule::kMinMax) out.zeros.resize(out.scales.size());
  kernels::QuantizeArgs args;
  args.points = copy.View();
  args.rule = rule;
  args.bits = bits;
  args.block = block;
  args.codes = out.codes.data();
  args.scales = out.scales.data();
  args.zeros = out.zeros.data();
  kernels::SerialFor serial;
  const kernels::Error error = Selected().quantize(args, serial);
  if (!error.ok()) throw GoldenError(error.message);
  return out;
}

void ExpectQuantized(const Quantized& actual, const Quantized& expected,
                     int block_bytes, const std::string& what, Checks* checks) {
  checks->ExpectNone(Differences(actual.scales, expected.scales),
                     what + " scales");
  if (!expected.zeros.empty()) {
    checks->ExpectNone(Differences(actual.zeros, expected.zeros),
                       what + " zeros");
  }
  checks->ExpectNone(CodeDifferences(actual, expected, block_bytes),
                     what + " codes");
}

}  // namespace qvg::golden
