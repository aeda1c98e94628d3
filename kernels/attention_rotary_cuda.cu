#include "kernels/attention_kernel.cuh"

namespace qvg::kernels::device {

Error LaunchRotaryAttention(const AttentionLaunch& launch, int head_dim,
                            int blocks, cudaStream_t stream) {
  switch (head_dim) {
    case 64:
      return LaunchAttention<64, true>(launch, blocks, stream);
    case 128:
      return LaunchAttention<128, true>(launch, blocks, stream);
    default:
      return LaunchAttention<256, true>(launch, blocks, stream);
  }
}

}  // namespace qvg::kernels::device
