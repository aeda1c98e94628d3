#ifndef TESTS_BENCH_DEVICE_MEMORY_H_
#define TESTS_BENCH_DEVICE_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "kernels/cuda_stream.h"
#include "tests/bench/timing.h"

// For device cases only. Errors of CUDA end the program.
namespace qvg::bench {

// Device memory that lives as long as this, filled with random content.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  // BF16, about normally distributed.
  uint16_t* Normal(int64_t count, uint64_t seed);
  // Bytes, uniform in [low, low + range).
  uint8_t* Uniform(int64_t count, int low, int range, uint64_t seed);
  // Bytes that work overwrites.
  void* Scratch(size_t bytes);

 private:
  std::vector<void*> arrays_;
};

// Ends the program unless `ok`.
void RequireCuda(bool ok, const char* what);

// An arm that calls `run` for one of `sets` sets of operands, in turns, and is
// timed by events of the stream that it is given.
Arm DeviceArm(const std::string& name, int64_t bytes, int sets,
              std::function<void(int set, kernels::CudaStream stream)> run);

// What a copy within device memory and a bare loop of tensor-core products
// reach: the ceilings that other rows are compared with.
Arm CopyCeiling();
Arm MatrixCeiling(double* flop);

}  // namespace qvg::bench

#endif  // TESTS_BENCH_DEVICE_MEMORY_H_
