#include <ATen/Context.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>

#include "server/generator/tinyworld/captured_step.h"

namespace qvg::tinyworld {
namespace {

class CudaGraphStep : public CapturedStep {
 public:
  explicit CudaGraphStep(const std::function<void()>& body) {
    const auto stream = c10::cuda::getStreamFromPool();
    c10::cuda::device_synchronize();
    {
      const c10::cuda::CUDAStreamGuard guard(stream);
      body();
      c10::cuda::device_synchronize();
      graph_.capture_begin();
      body();
      graph_.capture_end();
    }
    c10::cuda::device_synchronize();
  }

  void Run() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

}  // namespace

std::unique_ptr<CapturedStep> Capture(const std::function<void()>& body) {
  return std::make_unique<CudaGraphStep>(body);
}

}  // namespace qvg::tinyworld
