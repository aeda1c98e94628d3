#ifndef SERVER_GENERATOR_TINYWORLD_CACHED_ATTENTION_H_
#define SERVER_GENERATOR_TINYWORLD_CACHED_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <array>
#include <vector>

#include "cache/kv_cache.h"
#include "kernels/packed_tensor.h"
#include "kernels/parallel_for.h"
#include "server/generator/tinyworld/pass_attention.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {

// The attention of one chunk on the CPU: one lane, FP32.
class CachedAttention : public PassAttention {
 public:
  // Both must outlive it, and `cache` must not change meanwhile.
  CachedAttention(const KvCache& cache, kernels::ParallelFor& parallel_for);

  at::Tensor operator()(int block, const at::Tensor& q, const at::Tensor& k,
                        const at::Tensor& v) override;
  void Keep(int block, const at::Tensor& k, const at::Tensor& v) override;
  std::vector<kernels::KvSegment> latest(int lane) const override;

 private:
  struct Block {
    std::vector<kernels::KvSegment> segments;  // history, then own
    at::Tensor k;
    at::Tensor v;
  };

  kernels::ParallelFor& parallel_for_;
  std::array<Block, kBlocks> blocks_;
  at::Tensor workspace_;
};

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_CACHED_ATTENTION_H_
