#ifndef KERNELS_EXECUTOR_H_
#define KERNELS_EXECUTOR_H_

#include "kernels/cuda_stream.h"
#include "kernels/parallel_for.h"

namespace qvg::kernels {

// What kind of memory a pointer is to.
enum class MemoryKind { kHost, kDevice };

// Where memory lies; that of a device changes in the order of the stream.
struct MemorySpace {
  MemoryKind kind = MemoryKind::kHost;
  CudaStream stream = nullptr;

  bool on_device() const { return kind == MemoryKind::kDevice; }
};

// Where and with what an operation runs: on the threads of a ParallelFor, over
// host memory and done when the call returns; or in the order of a stream, over
// device memory. Refers to either and is as cheap to pass as a pointer.
class Executor {
 public:
  // Whoever has threads can be asked to run something.
  Executor(ParallelFor& parallel_for)  // NOLINT(google-explicit-constructor)
      : parallel_for_(&parallel_for) {}

  // Of the device that is current when operations are called.
  explicit Executor(CudaStream stream) : space_{MemoryKind::kDevice, stream} {}

  bool on_device() const { return space_.on_device(); }

  // Where its operations find and leave everything.
  const MemorySpace& memory() const { return space_; }

  // Of an executor that is not on a device.
  ParallelFor& parallel_for() const { return *parallel_for_; }
  // Of one that is.
  CudaStream stream() const { return space_.stream; }

 private:
  ParallelFor* parallel_for_ = nullptr;
  MemorySpace space_;
};

}  // namespace qvg::kernels

#endif  // KERNELS_EXECUTOR_H_
