#ifndef SERVER_GENERATOR_TINYWORLD_OPTIMIZER_H_
#define SERVER_GENERATOR_TINYWORLD_OPTIMIZER_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "server/generator/tinyworld/parameters.h"

namespace qvg::tinyworld {

// `x` (n,rows,columns) with every singular value moved towards 1 by five
// Newton-Schulz steps (Jordan 2024, Muon), in BF16 on a GPU.
at::Tensor Orthogonalized(const at::Tensor& x);

// Muon for the matrices of the blocks, AdamW for the rest, and a running
// average of all parameters. Everything that changes from step to step is a
// tensor on the device, so that Step() can be captured in a CUDA graph.
class Optimizer {
 public:
  // Updates the tensors of `parameters` in place.
  explicit Optimizer(const Parameters& parameters);

  // Before step `step` (from 0): the learning rate as a share of its peak.
  void Prepare(int64_t step, double rate);

  // One step along the gradients, in the order of the table, which are
  // clipped in place to a common norm of 1.
  void Step(const std::vector<at::Tensor>& gradients);

  Parameters average() const { return FromList(average_); }

  // What a resumed run needs, parameters included; copy into it to restore.
  std::vector<at::Tensor> State() const;

 private:
  void StepMatrices(size_t index, const at::Tensor& gradient);
  void StepOthers(const std::vector<at::Tensor>& gradients);
  void UpdateAverage();

  std::vector<at::Tensor> parameters_;
  std::vector<at::Tensor> average_;
  std::vector<at::Tensor> first_;   // momentum; AdamW: first moment
  std::vector<at::Tensor> second_;  // AdamW only: second moment
  std::vector<at::Tensor> steps_;   // AdamW only: steps so far
  at::Tensor rate_;                 // share of the peak
  at::Tensor average_weight_;       // of the newest parameters
};

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_OPTIMIZER_H_
