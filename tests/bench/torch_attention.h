#ifndef TESTS_BENCH_TORCH_ATTENTION_H_
#define TESTS_BENCH_TORCH_ATTENTION_H_

#include <cstdint>
#include <vector>

#include "tests/bench/timing.h"

namespace qvg::bench {

struct AttentionShape {
  int heads = 0;
  int head_dim = 0;
  int64_t queries = 0;
  int64_t keys = 0;
};

// LibTorch's CPU flash attention over random FP32 and BF16 tensors on so many
// threads; no arms in a build without Torch.
std::vector<Arm> TorchAttentionArms(const AttentionShape& shape, int threads);

// LibTorch's flash attention and cuDNN's on the device, over random BF16
// tensors, all sessions as one batch; no arms in a build without Torch.
std::vector<Arm> TorchDeviceAttentionArms(const AttentionShape& shape,
                                          int sessions);

}  // namespace qvg::bench

#endif  // TESTS_BENCH_TORCH_ATTENTION_H_
