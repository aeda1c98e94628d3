#ifndef SERVER_GENERATOR_TINYWORLD_TORCH_PARALLEL_FOR_H_
#define SERVER_GENERATOR_TINYWORLD_TORCH_PARALLEL_FOR_H_

#include <cstdint>

#include "kernels/parallel_for.h"

namespace qvg::tinyworld {

// LibTorch's own threads, so that kernels and tensor operations share one
// pool and never compete for cores.
class TorchParallelFor : public kernels::ParallelFor {
 public:
  int workers() const override;

 protected:
  void Run(int64_t items, RawBody body, const void* context) override;
};

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_TORCH_PARALLEL_FOR_H_
