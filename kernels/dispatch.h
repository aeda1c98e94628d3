#ifndef KERNELS_DISPATCH_H_
#define KERNELS_DISPATCH_H_

#include <cstddef>
#include <cstdint>

#include "kernels/error.h"
#include "kernels/executor.h"
#include "kernels/kmeans.h"
#include "kernels/min_max.h"
#include "kernels/packed_tensor.h"
#include "kernels/product.h"
#include "kernels/quantize.h"
#include "kernels/rows.h"

// The operations, on whatever the caller runs on: what they do is said where
// the version for the CPU is declared. All pointers, workspaces included, are
// to memory of executor.memory(); on a device, work is enqueued and not waited
// for.
namespace qvg::kernels {

Error DecodeRows(const PackedTensor& tensor, int64_t first, int64_t tokens,
                 uint16_t* out, const Executor& executor);

Error SubtractCentroids(const Points& points, const uint16_t* centroids,
                        int centroids_per_head, const uint8_t* ids,
                        const Executor& executor);

Error Quantize(const QuantizeArgs& args, const Executor& executor);

Error EncodeMinMax(const MinMaxArgs& args, const Executor& executor);

size_t KmeansWorkspaceBytes(const KmeansArgs& args, const Executor& executor);
Error KmeansDraw(const KmeansArgs& args, uint64_t seed,
                 const Executor& executor);
Error Kmeans(const KmeansArgs& args, int max_rounds, void* workspace,
             size_t workspace_bytes, const Executor& executor);

size_t ProductWorkspaceBytes(const ProductArgs& args, const Executor& executor);
Error EncodeProduct(const ProductArgs& args, void* workspace,
                    size_t workspace_bytes, const Executor& executor);

// Sets bytes to `byte`.
Error Fill(void* memory, int byte, size_t bytes, const Executor& executor);

// One call of CopyTokens.
struct TokenCopy {
  PackedTensor from;
  Encoding to = Encoding::kBf16;
  void* out = nullptr;
};
Error CopyTokens(const TokenCopy* copies, int count, const Executor& executor);

// finite[i] = AllFinite(tensors[i]) as 0 or 1, in host memory. Waits for the
// device. `workspace` has FiniteWorkspaceBytes(count, executor).
size_t FiniteWorkspaceBytes(int count, const Executor& executor);
Error AllFinite(const PackedTensor* tensors, int count, uint32_t* finite,
                void* workspace, const Executor& executor);

}  // namespace qvg::kernels

#endif  // KERNELS_DISPATCH_H_
