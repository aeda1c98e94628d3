#include <algorithm>
#include <functional>

#include "tests/kernels/cuda/device_arrays.h"
#include "tests/kernels/cuda/on_device.h"

namespace qvg::kernels {
namespace {

int64_t AtLeastZero(int64_t count) { return std::max<int64_t>(count, 0); }

struct OnDevice {
  explicit OnDevice(const KmeansArgs& host) : args(host) {
    const Points& points = host.points;
    const int64_t rows = AtLeastZero(int64_t{points.heads} * points.tokens);
    values = rows * AtLeastZero(points.dim);
    centroids = AtLeastZero(int64_t{points.heads} * host.clusters * points.dim);
    labels = rows;
    args.points.values = arrays.Copy(points.values, values);
    args.centroids = arrays.Copy(host.centroids, centroids);
    args.labels = arrays.Copy(host.labels, labels);
  }

  void Fetch(const KmeansArgs& host) {
    arrays.Fetch(args.centroids, centroids, host.centroids);
    if (labels > 0) arrays.Fetch(args.labels, labels, host.labels);
  }

  DeviceArrays arrays;
  KmeansArgs args;
  int64_t values;
  int64_t centroids;
  int64_t labels;
};

using Body = std::function<Error(const KmeansArgs& args, void* workspace,
                                 size_t bytes, OnDevice* device)>;

Error Run(const KmeansArgs& args, const void* workspace, size_t bytes,
          const ParallelFor& parallel_for, const Body& body) {
  OnDevice device(args);
  const size_t host_bytes = KmeansWorkspaceBytes(args, parallel_for);
  const size_t missing = host_bytes - std::min(bytes, host_bytes);
  const size_t needed = KmeansCudaWorkspaceBytes(device.args);
  auto* start = static_cast<char*>(device.arrays.Poisoned(needed + 64));
  const Error error =
      body(device.args, start + reinterpret_cast<uintptr_t>(workspace) % 64,
           needed - std::min(missing, needed), &device);
  if (error.ok()) device.Fetch(args);
  return error;
}

}  // namespace

Error KmeansAssignOnDevice(const KmeansArgs& args, void* workspace,
                           size_t workspace_bytes, ParallelFor& parallel_for) {
  return Run(
      args, workspace, workspace_bytes, parallel_for,
      [](const KmeansArgs& device, void* memory, size_t bytes, OnDevice* on) {
        return KmeansAssignCuda(device, memory, bytes, on->arrays.stream());
      });
}

Error KmeansUpdateOnDevice(const KmeansArgs& args, void* workspace,
                           size_t workspace_bytes, ParallelFor& parallel_for) {
  return Run(
      args, workspace, workspace_bytes, parallel_for,
      [](const KmeansArgs& device, void* memory, size_t bytes, OnDevice* on) {
        return KmeansUpdateCuda(device, memory, bytes, on->arrays.stream());
      });
}

Error KmeansOnDevice(const KmeansArgs& args, int max_rounds, void* workspace,
                     size_t workspace_bytes, ParallelFor& parallel_for,
                     int* rounds) {
  return Run(
      args, workspace, workspace_bytes, parallel_for,
      [=](const KmeansArgs& device, void* memory, size_t bytes, OnDevice* on) {
        auto* count =
            static_cast<int32_t*>(on->arrays.Poisoned(sizeof(int32_t)));
        const Error error = KmeansCuda(device, max_rounds, memory, bytes,
                                       on->arrays.stream(), count);
        if (error.ok() && rounds != nullptr) {
          on->arrays.Fetch(count, 1, rounds);
        }
        return error;
      });
}

Error KmeansDrawOnDevice(const KmeansArgs& args, uint64_t seed) {
  OnDevice device(args);
  const Error error = KmeansDrawCuda(device.args, seed, device.arrays.stream());
  if (error.ok()) device.Fetch(args);
  return error;
}

}  // namespace qvg::kernels
