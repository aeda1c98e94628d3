#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>

#include "server/generator/tinyworld/captured_step.h"

namespace qvg::tinyworld {
namespace {

class CudaGraphStep : public CapturedStep {
 public:
  CudaGraphStep(const std::function<void()>& body,
                const CudaGraphStep* neighbour)
      : pool_(neighbour == nullptr ? at::cuda::graph_pool_handle()
                                   : neighbour->pool_) {
    const auto stream = c10::cuda::getStreamFromPool();
    c10::cuda::device_synchronize();
    {
      const c10::cuda::CUDAStreamGuard guard(stream);
      body();
      c10::cuda::device_synchronize();
      c10::cuda::CUDACachingAllocator::emptyCache();  // of the warm-up
      graph_.capture_begin(pool_);
      body();
      graph_.capture_end();
    }
    c10::cuda::device_synchronize();
  }

  void Run() override { graph_.replay(); }

 private:
  const c10::MempoolId_t pool_;
  at::cuda::CUDAGraph graph_;
};

}  // namespace

std::unique_ptr<CapturedStep> Capture(const std::function<void()>& body,
                                      const CapturedStep* neighbour) {
  return std::make_unique<CudaGraphStep>(
      body, static_cast<const CudaGraphStep*>(neighbour));
}

}  // namespace qvg::tinyworld
