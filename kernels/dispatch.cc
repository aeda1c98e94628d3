#include "kernels/dispatch.h"

#include <cstring>

#include "kernels/copy_tokens.h"
#include "kernels/device_memory.h"

namespace qvg::kernels {
namespace {

// Flags begin as anything but 0.
Error AllFiniteOnDevice(const PackedTensor* tensors, int count,
                        uint32_t* finite, int32_t* flags, CudaStream stream) {
  const size_t bytes = count * sizeof(int32_t);
  Error error = FillDevice(flags, 1, bytes, stream);
  for (int i = 0; error.ok() && i < count; ++i) {
    error = AllFiniteCuda(tensors[i], flags + i, stream);
  }
  if (error.ok()) error = CopyToHost(flags, bytes, finite, stream);
  if (error.ok()) error = Synchronize(stream);
  for (int i = 0; i < count; ++i) finite[i] = finite[i] != 0 ? 1 : 0;
  return error;
}

}  // namespace

Error DecodeRows(const PackedTensor& tensor, int64_t first, int64_t tokens,
                 uint16_t* out, const Executor& executor) {
  if (executor.on_device()) {
    return DecodeRowsCuda(tensor, first, tokens, out, executor.stream());
  }
  return DecodeRows(tensor, first, tokens, out, executor.parallel_for());
}

Error SubtractCentroids(const Points& points, const uint16_t* centroids,
                        int centroids_per_head, const uint8_t* ids,
                        const Executor& executor) {
  if (executor.on_device()) {
    return SubtractCentroidsCuda(points, centroids, centroids_per_head, ids,
                                 executor.stream());
  }
  return SubtractCentroids(points, centroids, centroids_per_head, ids,
                           executor.parallel_for());
}

Error Quantize(const QuantizeArgs& args, const Executor& executor) {
  if (executor.on_device()) return QuantizeCuda(args, executor.stream());
  return Quantize(args, executor.parallel_for());
}

Error EncodeMinMax(const MinMaxArgs& args, const Executor& executor) {
  if (executor.on_device()) return EncodeMinMaxCuda(args, executor.stream());
  return EncodeMinMax(args, executor.parallel_for());
}

size_t KmeansWorkspaceBytes(const KmeansArgs& args, const Executor& executor) {
  if (executor.on_device()) return KmeansCudaWorkspaceBytes(args);
  return KmeansWorkspaceBytes(args, executor.parallel_for());
}

Error KmeansDraw(const KmeansArgs& args, uint64_t seed,
                 const Executor& executor) {
  if (executor.on_device()) {
    return KmeansDrawCuda(args, seed, executor.stream());
  }
  return KmeansDraw(args, seed);
}

Error Kmeans(const KmeansArgs& args, int max_rounds, void* workspace,
             size_t workspace_bytes, const Executor& executor) {
  if (executor.on_device()) {
    return KmeansCuda(args, max_rounds, workspace, workspace_bytes,
                      executor.stream());
  }
  return Kmeans(args, max_rounds, workspace, workspace_bytes,
                executor.parallel_for());
}

size_t ProductWorkspaceBytes(const ProductArgs& args,
                             const Executor& executor) {
  if (executor.on_device()) return ProductCudaWorkspaceBytes(args);
  return ProductWorkspaceBytes(args, executor.parallel_for());
}

Error EncodeProduct(const ProductArgs& args, void* workspace,
                    size_t workspace_bytes, const Executor& executor) {
  if (executor.on_device()) {
    return EncodeProductCuda(args, workspace, workspace_bytes,
                             executor.stream());
  }
  return EncodeProduct(args, workspace, workspace_bytes,
                       executor.parallel_for());
}

Error Fill(void* memory, int byte, size_t bytes, const Executor& executor) {
  if (executor.on_device()) {
    return FillDevice(memory, byte, bytes, executor.stream());
  }
  std::memset(memory, byte, bytes);
  return Error::Ok();
}

Error CopyTokens(const TokenCopy* copies, int count, const Executor& executor) {
  if (executor.on_device()) {
    Error error = Error::Ok();
    for (int i = 0; error.ok() && i < count; ++i) {
      error = CopyTokensCuda(copies[i].from, copies[i].to, copies[i].out,
                             executor.stream());
    }
    return error;
  }
  executor.parallel_for()(count, [&](int64_t i, int) {
    CopyTokens(copies[i].from, copies[i].to, copies[i].out);
  });
  return Error::Ok();
}

size_t FiniteWorkspaceBytes(int count, const Executor& executor) {
  return executor.on_device() ? count * sizeof(int32_t) : 0;
}

Error AllFinite(const PackedTensor* tensors, int count, uint32_t* finite,
                void* workspace, const Executor& executor) {
  if (executor.on_device()) {
    return AllFiniteOnDevice(tensors, count, finite,
                             static_cast<int32_t*>(workspace),
                             executor.stream());
  }
  executor.parallel_for()(count, [&](int64_t i, int) {
    finite[i] = AllFinite(tensors[i]) ? 1 : 0;
  });
  return Error::Ok();
}

}  // namespace qvg::kernels
