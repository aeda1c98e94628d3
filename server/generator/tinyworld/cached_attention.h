#ifndef SERVER_GENERATOR_TINYWORLD_CACHED_ATTENTION_H_
#define SERVER_GENERATOR_TINYWORLD_CACHED_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <array>
#include <vector>

#include "cache/kv_cache.h"
#include "kernels/packed_tensor.h"
#include "kernels/parallel_for.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {

// The attention of one chunk in flight: its queries against what `cache`
// holds of the chunks before and its own keys and values. Keeps the keys and
// values of the latest pass. Thread-compatible.
class CachedAttention {
 public:
  // Both must outlive it, and `cache` must not change meanwhile.
  CachedAttention(const KvCache& cache, kernels::ParallelFor& parallel_for);

  // An AttentionFn (model.h) for one chunk in one copy: (1,128,256), FP32.
  // Throws c10::Error if the kernel refuses.
  at::Tensor operator()(int block, const at::Tensor& q, const at::Tensor& k,
                        const at::Tensor& v);

  // Remembers keys and values only: for a block whose output nobody reads.
  void Keep(int block, const at::Tensor& k, const at::Tensor& v);

  // What the latest pass gave, one entry per block, for KvCache::Append.
  std::vector<kernels::KvSegment> latest() const;

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
