#include "kernels/cuda_check.h"
#include "kernels/cuda_launch.h"
#include "kernels/kmeans.h"
#include "kernels/kmeans_batch_cuda.h"
#include "kernels/kmeans_internal.h"

namespace qvg::kernels {
namespace {

using internal::ClusterBatch;
using internal::ClusterWorkspace;
using internal::RoundState;

ClusterBatch BatchOf(const KmeansArgs& args) {
  const Points& points = args.points;
  ClusterBatch batch = {};
  batch.tensors[0] = {points.values,  points.dim,  points.tokens * points.dim,
                      args.centroids, args.labels, 0};
  batch.count = 1;
  batch.heads = points.heads;
  batch.tokens = points.tokens;
  batch.dim = points.dim;
  batch.clusters = args.clusters;
  return batch;
}

ClusterWorkspace WorkspaceOf(const KmeansArgs& args, WorkspaceCutter* cutter) {
  return {args.points.heads, args.points.tokens, args.clusters, cutter};
}

Error CheckArgs(const KmeansArgs& args) {
  const Error error = internal::CheckKmeans(args);
  if (!error.ok()) return error;
  if (!IsAligned(args.points.values, 16) || !IsAligned(args.centroids, 16)) {
    return Error::Invalid("points, centroids: must be aligned to 16 bytes");
  }
  return CheckDevice();
}

Error CheckAll(const KmeansArgs& args, const void* workspace, size_t bytes) {
  Error error = internal::CheckKmeans(args);
  if (!error.ok()) return error;
  error = CheckWorkspace(workspace, bytes, KmeansCudaWorkspaceBytes(args));
  return error.ok() ? CheckArgs(args) : error;
}

// After the assignment of a round: whether the loop ends here.
__global__ void SettleKernel(RoundState* state, int round, int64_t labels) {
  if (state->stopped != 0) return;
  state->rounds = round;
  if (round > 1 && state->changes * 10000 < labels) state->stopped = 1;
  state->changes = 0;
}

Error RunRound(const ClusterBatch& batch, const ClusterWorkspace& workspace,
               int round, CudaStream stream) {
  Error error =
      internal::AssignBatch(batch, workspace.state, round == 1, stream);
  if (!error.ok()) return error;
  SettleKernel<<<1, 1, 0, stream>>>(workspace.state, round,
                                    batch.heads * batch.tokens);
  error = LaunchError();
  if (!error.ok()) return error;
  return internal::UpdateBatch(batch, workspace, workspace.state, stream);
}

}  // namespace

size_t KmeansCudaWorkspaceBytes(const KmeansArgs& args) {
  WorkspaceCutter cutter;
  WorkspaceOf(args, &cutter);
  return cutter.bytes();
}

Error KmeansAssignCuda(const KmeansArgs& args, void* workspace,
                       size_t workspace_bytes, CudaStream stream) {
  const Error error = CheckAll(args, workspace, workspace_bytes);
  if (!error.ok() || args.points.tokens == 0) return error;
  return internal::AssignBatch(BatchOf(args), nullptr, true, stream);
}

Error KmeansUpdateCuda(const KmeansArgs& args, void* workspace,
                       size_t workspace_bytes, CudaStream stream) {
  const Error error = CheckAll(args, workspace, workspace_bytes);
  if (!error.ok() || args.points.tokens == 0) return error;
  WorkspaceCutter cutter(workspace);
  return internal::UpdateBatch(BatchOf(args), WorkspaceOf(args, &cutter),
                               nullptr, stream);
}

Error KmeansCuda(const KmeansArgs& args, int max_rounds, void* workspace,
                 size_t workspace_bytes, CudaStream stream, int32_t* rounds) {
  Error error = CheckAll(args, workspace, workspace_bytes);
  if (!error.ok()) return error;
  if (max_rounds < 1) return Error::Invalid("max_rounds: must be at least 1");
  WorkspaceCutter cutter(workspace);
  const ClusterWorkspace pieces = WorkspaceOf(args, &cutter);
  const ClusterBatch batch = BatchOf(args);
  error = ToError(cudaMemsetAsync(pieces.state, 0, sizeof(RoundState), stream));
  for (int round = 1; error.ok() && round <= max_rounds; ++round) {
    if (batch.tokens > 0) error = RunRound(batch, pieces, round, stream);
  }
  if (!error.ok() || rounds == nullptr) return error;
  return ToError(cudaMemcpyAsync(rounds, &pieces.state->rounds, sizeof(int32_t),
                                 cudaMemcpyDeviceToDevice, stream));
}

Error KmeansDrawCuda(const KmeansArgs& args, uint64_t seed, CudaStream stream) {
  const Error error = CheckArgs(args);
  if (!error.ok()) return error;
  if (args.points.tokens == 0) {
    return Error::Invalid("points: no token to draw");
  }
  ClusterBatch batch = BatchOf(args);
  batch.tensors[0].seed = seed;
  return internal::DrawBatch(batch, stream);
}

}  // namespace qvg::kernels
