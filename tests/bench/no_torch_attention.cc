#include "tests/bench/torch_attention.h"

namespace qvg::bench {

std::vector<Arm> TorchAttentionArms(const AttentionShape&, int) { return {}; }

std::vector<Arm> TorchDeviceAttentionArms(const AttentionShape&, int) {
  return {};
}

}  // namespace qvg::bench
