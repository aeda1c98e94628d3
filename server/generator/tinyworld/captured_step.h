#ifndef SERVER_GENERATOR_TINYWORLD_CAPTURED_STEP_H_
#define SERVER_GENERATOR_TINYWORLD_CAPTURED_STEP_H_

#include <functional>
#include <memory>

namespace qvg::tinyworld {

// A function of tensors on the GPU, recorded once as a CUDA graph and run
// again without the host's launch costs. Everything it reads and leaves
// behind must live outside of it; random numbers go on from run to run.
// Thread-compatible.
class CapturedStep {
 public:
  virtual ~CapturedStep() = default;
  virtual void Run() = 0;
};

// Calls `body` once to warm up and once to record it (which runs nothing).
// `neighbour`, which may be null, lends the memory of its temporaries: the
// two must not run at the same time. Throws c10::Error if the body cannot be
// recorded or there is no device code.
std::unique_ptr<CapturedStep> Capture(const std::function<void()>& body,
                                      const CapturedStep* neighbour);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_CAPTURED_STEP_H_
