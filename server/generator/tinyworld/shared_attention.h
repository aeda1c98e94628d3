#ifndef SERVER_GENERATOR_TINYWORLD_SHARED_ATTENTION_H_
#define SERVER_GENERATOR_TINYWORLD_SHARED_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/types/span.h"
#include "cache/kv_cache.h"
#include "cache/workspace.h"
#include "kernels/cuda_stream.h"
#include "kernels/packed_tensor.h"
#include "server/generator/tinyworld/pass_attention.h"

namespace qvg::tinyworld {

// What SharedAttention works in, one after the other. Memory of a GPU that
// stays where it is from pass to pass. Thread-compatible.
struct SharedAttentionMemory {
  SharedAttentionMemory(int lanes, const at::Device& device);

  at::Tensor keys;    // (10,lanes,128,256) BF16: those of the chunks in flight
  at::Tensor values;  // likewise
  at::Tensor out;     // (lanes,128,256) FP32
  Workspace segments{kernels::MemoryKind::kDevice};
  Workspace scratch{kernels::MemoryKind::kDevice};
};

// The attention of many chunks on a GPU, all lanes of a block in one launch;
// what a lane gets does not depend on the others, bit for bit. q, k and v are
// BF16 of as many lanes as the memory has; those without a cache get numbers
// that mean nothing. Enqueued in the order of `stream`, LibTorch's current one.
class SharedAttention : public PassAttention {
 public:
  // Copies the views of the caches' segments to the GPU, once for all passes
  // over the same history. `caches`, of which lane i gets the i-th, and
  // `memory` must outlive it, and the caches must not change meanwhile.
  SharedAttention(absl::Span<const KvCache* const> caches,
                  kernels::CudaStream stream, SharedAttentionMemory& memory);

  at::Tensor operator()(int block, const at::Tensor& q, const at::Tensor& k,
                        const at::Tensor& v) override;
  void Keep(int block, const at::Tensor& k, const at::Tensor& v) override;
  std::vector<kernels::KvSegment> latest(int lane) const override;

 private:
  // Of one block of one lane: history, then own.
  struct List {
    const kernels::KvSegment* segments = nullptr;  // on the GPU
    int count = 0;
  };

  kernels::KvSegment Own(int block, int lane) const;
  std::vector<kernels::KvSegment> Collect(
      absl::Span<const KvCache* const> caches);
  void Upload(const std::vector<kernels::KvSegment>& segments);

  const int lanes_;  // with a cache
  const kernels::CudaStream stream_;
  SharedAttentionMemory& memory_;
  std::vector<List> lists_;  // [lane][block]
};

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_SHARED_ATTENTION_H_
