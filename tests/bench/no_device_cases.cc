#include "tests/bench/cases.h"

namespace qvg::bench {

std::string DeviceName() { return ""; }

std::vector<CaseFactory> DeviceCases() { return {}; }

std::vector<CaseFactory> DeviceAttentionCases() { return {}; }

std::vector<CaseFactory> CeilingCases() { return {}; }

}  // namespace qvg::bench
