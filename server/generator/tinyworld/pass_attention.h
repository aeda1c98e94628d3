#ifndef SERVER_GENERATOR_TINYWORLD_PASS_ATTENTION_H_
#define SERVER_GENERATOR_TINYWORLD_PASS_ATTENTION_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "kernels/packed_tensor.h"

namespace qvg::tinyworld {

// The attention of chunks in flight that share passes: the queries of each
// lane against what its cache holds of the chunks before and its own keys and
// values. Keeps the keys and values of the latest pass. Thread-compatible.
class PassAttention {
 public:
  virtual ~PassAttention() = default;

  // An AttentionFn (model.h) for one chunk a lane in one copy: (N,128,256).
  // Throws c10::Error if a kernel refuses.
  virtual at::Tensor operator()(int block, const at::Tensor& q,
                                const at::Tensor& k, const at::Tensor& v) = 0;

  // Remembers keys and values only: for a block whose output nobody reads.
  virtual void Keep(int block, const at::Tensor& k, const at::Tensor& v) = 0;

  // What the latest pass gave lane `lane`, one entry per block, for
  // KvCache::Append. Valid until the next pass.
  virtual std::vector<kernels::KvSegment> latest(int lane) const = 0;
};

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_PASS_ATTENTION_H_
