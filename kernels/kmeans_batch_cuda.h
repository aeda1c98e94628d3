#ifndef KERNELS_KMEANS_BATCH_CUDA_H_
#define KERNELS_KMEANS_BATCH_CUDA_H_

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/error.h"
#include "kernels/workspace.h"

namespace qvg::kernels::internal {

// One tensor whose heads are clustered. Strides are in elements; channels lie
// side by side, everything BF16 is aligned to 16 bytes.
struct ClusterTensor {
  const uint16_t* points;
  int64_t token_stride;
  int64_t head_stride;
  uint16_t* centroids;  // [H,K,D]
  uint8_t* labels;      // [H,T]
  uint64_t seed;        // of the draw
};

// Tensors of one shape that are clustered by the same launches.
struct ClusterBatch {
  static constexpr int kMaxTensors = 64;

  ClusterTensor tensors[kMaxTensors];
  int count;
  int heads;
  int64_t tokens;
  int dim;
  int clusters;
};

// How many labels a round has changed, and whether that was few enough.
struct RoundState {
  unsigned long long changes;
  int32_t stopped;
  int32_t rounds;
};

// What a batch needs between its launches.
struct ClusterWorkspace {
  ClusterWorkspace(int64_t heads, int64_t tokens, int clusters,
                   WorkspaceCutter* cutter) {
    order = cutter->Take<int32_t>(heads * tokens);
    starts = cutter->Take<int32_t>(heads * (clusters + 1));
    state = cutter->Take<RoundState>(1);
  }

  int32_t* order;     // [heads,tokens], tokens by label, then by number
  int32_t* starts;    // [heads,clusters + 1], in `order`
  RoundState* state;  // of one tensor
};

// The steps of KmeansDraw, KmeansAssign and KmeansUpdate for all heads of all
// tensors. With a `state`, AssignBatch counts the labels that change (unless
// this is the first round, whose labels mean nothing yet), and both steps do
// nothing once it has stopped.
Error DrawBatch(const ClusterBatch& batch, CudaStream stream);
Error AssignBatch(const ClusterBatch& batch, RoundState* state, bool first,
                  CudaStream stream);
Error UpdateBatch(const ClusterBatch& batch, const ClusterWorkspace& workspace,
                  const RoundState* state, CudaStream stream);

}  // namespace qvg::kernels::internal

#endif  // KERNELS_KMEANS_BATCH_CUDA_H_
