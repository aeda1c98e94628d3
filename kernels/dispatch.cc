#include "kernels/dispatch.h"

#include <cstring>

#include "kernels/copy_tokens.h"
#include "kernels/device_memory.h"

namespace qvg::kernels {
namespace {

Error NotOnDevice() {
  return Error::Unimplemented("device: this operation runs on the CPU only");
}

}  // namespace

Error DecodeRows(const PackedTensor& tensor, int64_t first, int64_t tokens,
                 uint16_t* out, const Executor& executor) {
  if (executor.on_device()) return NotOnDevice();
  return DecodeRows(tensor, first, tokens, out, executor.parallel_for());
}

Error SubtractCentroids(const Points& points, const uint16_t* centroids,
                        int centroids_per_head, const uint8_t* ids,
                        const Executor& executor) {
  if (executor.on_device()) return NotOnDevice();
  return SubtractCentroids(points, centroids, centroids_per_head, ids,
                           executor.parallel_for());
}

Error Quantize(const QuantizeArgs& args, const Executor& executor) {
  if (executor.on_device()) return NotOnDevice();
  return Quantize(args, executor.parallel_for());
}

Error EncodeMinMax(const MinMaxArgs& args, const Executor& executor) {
  if (executor.on_device()) return NotOnDevice();
  return EncodeMinMax(args, executor.parallel_for());
}

size_t KmeansWorkspaceBytes(const KmeansArgs& args, const Executor& executor) {
  if (executor.on_device()) return 0;
  return KmeansWorkspaceBytes(args, executor.parallel_for());
}

Error KmeansDraw(const KmeansArgs& args, uint64_t seed,
                 const Executor& executor) {
  if (executor.on_device()) return NotOnDevice();
  return KmeansDraw(args, seed);
}

Error Kmeans(const KmeansArgs& args, int max_rounds, void* workspace,
             size_t workspace_bytes, const Executor& executor) {
  if (executor.on_device()) return NotOnDevice();
  return Kmeans(args, max_rounds, workspace, workspace_bytes,
                executor.parallel_for());
}

size_t ProductWorkspaceBytes(const ProductArgs& args,
                             const Executor& executor) {
  if (executor.on_device()) return 0;
  return ProductWorkspaceBytes(args, executor.parallel_for());
}

Error EncodeProduct(const ProductArgs& args, void* workspace,
                    size_t workspace_bytes, const Executor& executor) {
  if (executor.on_device()) return NotOnDevice();
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
  if (executor.on_device()) return NotOnDevice();
  executor.parallel_for()(count, [&](int64_t i, int) {
    CopyTokens(copies[i].from, copies[i].to, copies[i].out);
  });
  return Error::Ok();
}

size_t FiniteWorkspaceBytes(int /*count*/, const Executor& /*executor*/) {
  return 0;
}

Error AllFinite(const PackedTensor* tensors, int count, uint32_t* finite,
                void* /*workspace*/, const Executor& executor) {
  if (executor.on_device()) return NotOnDevice();
  executor.parallel_for()(count, [&](int64_t i, int) {
    finite[i] = AllFinite(tensors[i]) ? 1 : 0;
  });
  return Error::Ok();
}

}  // namespace qvg::kernels
