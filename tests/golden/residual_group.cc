#include "tests/golden/groups.h"
#include "tests/golden/quantizing.h"

namespace qvg::golden {
namespace {

using kernels::QuantizeRule;

void CheckBlock(const GoldenCase& golden, const PointSet& residual,
                QuantizeRule rule, int block, Checks* checks) {
  const int bits = golden.json().at("bits");
  const bool min_max = rule == QuantizeRule::kMinMax;
  const std::string prefix = min_max ? "asym_" : "";
  const std::string suffix = "_b" + std::to_string(block);
  Quantized expected;
  expected.codes = golden.Get<uint8_t>(prefix + "codes" + suffix).values;
  expected.scales = golden.Get<uint8_t>(prefix + "scales" + suffix).values;
  if (min_max) {
    expected.zeros = golden.Get<uint8_t>("asym_zeros" + suffix).values;
  }
  ExpectQuantized(QuantizePoints(residual, rule, bits, block), expected,
                  block * bits / 8, prefix + "quantize" + suffix, checks);
}

}  // namespace

void CheckResidual(const GoldenCase& golden, Checks* checks) {
  const PointSet residual = golden.Points("r");
  for (const int block : golden.json().at("blocks")) {
    CheckBlock(golden, residual, QuantizeRule::kAbsmax, block, checks);
  }
  for (const int block :
       golden.json().value("asym_blocks", std::vector<int>())) {
    CheckBlock(golden, residual, QuantizeRule::kMinMax, block, checks);
  }
}

}  // namespace qvg::golden
