#ifndef KERNELS_ATTENTION_KERNEL_CUH_
#define KERNELS_ATTENTION_KERNEL_CUH_

#include <cstdint>

#include "kernels/attention_consumer.cuh"
#include "kernels/attention_phases.cuh"
#include "kernels/attention_plan.cuh"
#include "kernels/attention_producer.cuh"
#include "kernels/attention_softmax.cuh"
#include "kernels/attention_spaces.cuh"
#include "kernels/cuda_check.h"

// The device's packed attention: attention_plan.cuh says how it is cut.
namespace qvg::kernels::device {

inline constexpr int kConsumers = 2;
inline constexpr int kThreads = (1 + kConsumers) * kWarpgroup;
inline constexpr int kFirstConsumerBarrier = 2;
// After the roles are known; together no more than the launch took, which is
// 168 for each thread.
template <int D>
inline constexpr int kProducerRegisters = D == 256 ? 88 : 104;
template <int D>
inline constexpr int kConsumerRegisters = D == 256 ? 208 : 200;
inline constexpr float kLowest = -1e30f;

template <int D>
struct alignas(1024) Shared {
  uint8_t queries[kItemQueries * D * 2];
  Stages<D> stages;
  StageBarriers barriers;
  float bias[kItemQueries];
};

__device__ inline void InitBarriers(StageBarriers& barriers) {
  for (int i = 0; i < kStages; ++i) {
    Init(&barriers.keys_full[i], 1);
    Init(&barriers.values_full[i], 1);
    Init(&barriers.keys_empty[i], kConsumers * kWarpgroup / 32);
    Init(&barriers.values_empty[i], kConsumers * kWarpgroup / 32);
  }
  FenceInit();
}

// The warpgroup's queries in, as the phase's keys meet them.
template <int D>
__device__ void StartPhase(const Head& head, int64_t first_query, int warpgroup,
                           const Space& keys, Shared<D>& shared,
                           Rows<D>& rows) {
  const int first = warpgroup * 64;
  const int barrier = kFirstConsumerBarrier + warpgroup;
  Sync(barrier, kWarpgroup);  // nobody reads the last phase's any more
  LoadQueries<D>(*head.problem, head.in_problem, first_query, keys,
                 shared.queries + first * 128, shared.bias + first);
  FenceProxyShared();
  Sync(barrier, kWarpgroup);
  rows.bias[0] = shared.bias[first + FirstRow()];
  rows.bias[1] = shared.bias[first + FirstRow() + 8];
}

template <int D, bool kRotary>
__device__ void AttendItem(const AttentionLaunch& launch, int index,
                           Consumer<D>& on, Shared<D>& shared) {
  const Head head = HeadOfItem(launch, index);
  const AttentionProblem& problem = *head.problem;
  const int64_t first_query =
      int64_t{index - head.first_item} * kItemQueries + on.warpgroup * 64;
  const int64_t query = first_query + FirstRow();
  float* const row = problem.out + query * problem.out_token_stride +
                     head.in_problem * problem.out_head_stride;
  float* const scratch[2] = {query < problem.queries ? row : nullptr,
                             query + 8 < problem.queries
                                 ? row + 8 * problem.out_token_stride
                                 : nullptr};
  Rows<D> rows;
#pragma unroll
  for (int i = 0; i < D / 2; ++i) rows.out[i] = 0;
  rows.max[0] = rows.max[1] = kLowest;
  rows.sum[0] = rows.sum[1] = 0;
  Space values;
  Phase phase;
  phase.end = problem.segments;
  const KvSegment* const end = problem.segments + problem.num_segments;
  while (NextPhase<kRotary>(phase.end, end, head.in_problem, &phase)) {
    MoveSums<D>(values, phase.values, rows.out, rows.sum, scratch);
    values = phase.values;
    StartPhase<D>(head, first_query, on.warpgroup, phase.keys, shared, rows);
    AttendPhase<D>(on, TileWalker<kTileKeys<D>>(phase.begin, phase.end), rows);
  }
  MoveSums<D>(values, Space(), rows.out, rows.sum, scratch);
  for (int r = 0; r < 2; ++r) {
    rows.sum[r] += __shfl_xor_sync(0xffffffffu, rows.sum[r], 1);
    rows.sum[r] += __shfl_xor_sync(0xffffffffu, rows.sum[r], 2);
  }
  StoreRows<D>(launch, head, query, rows);
}

template <int D, bool kRotary>
__global__ void __launch_bounds__(kThreads, 1)
    AttentionKernel(const __grid_constant__ AttentionLaunch launch) {
  // Alone in the block's shared memory, so it starts at its beginning.
  extern __shared__ __align__(1024) uint8_t memory[];
  Shared<D>& shared = *reinterpret_cast<Shared<D>*>(memory);
  if (threadIdx.x == 0) InitBarriers(shared.barriers);
  __syncthreads();
  const int warpgroup = static_cast<int>(threadIdx.x) / kWarpgroup;
  if (warpgroup == kConsumers) {
    ShrinkRegisters<kProducerRegisters<D>>();
    const int thread = static_cast<int>(threadIdx.x) % kWarpgroup;
    if (thread < kDecoders) {
      DecodeTiles<D, kRotary>(launch, thread);
    } else if (thread == kDecoders) {
      CopyTiles<D>(launch, shared.stages, shared.barriers);
    }
  } else {
    GrowRegisters<kConsumerRegisters<D>>();
    Consumer<D> on;
    on.query = SharedAddress(shared.queries + warpgroup * 64 * 128);
    on.stages = &shared.stages;
    on.barriers = &shared.barriers;
    on.scale_log2 = launch.scale * kLog2E;
    on.warpgroup = warpgroup;
    if (warpgroup == 1) on.EndTurn();  // the first turn is warpgroup 0's
    for (int i = blockIdx.x; i < launch.items; i += gridDim.x) {
      AttendItem<D, kRotary>(launch, i, on, shared);
    }
  }
}

// Starts the kernel. `blocks` must fit on the device at once.
template <int D, bool kRotary>
Error LaunchAttention(const AttentionLaunch& launch, int blocks,
                      cudaStream_t stream) {
  constexpr size_t kBytes = sizeof(Shared<D>);
  auto* kernel = AttentionKernel<D, kRotary>;
  const Error error = ToError(cudaFuncSetAttribute(
      kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes));
  if (!error.ok()) return error;
  void* args[] = {const_cast<AttentionLaunch*>(&launch)};
  // Blocks wait for each other, so all of them must run at once.
  return ToError(cudaLaunchCooperativeKernel(
      reinterpret_cast<const void*>(kernel), dim3(blocks), dim3(kThreads), args,
      kBytes, stream));
}

// By head dim; the one with keys turned by their positions is compiled apart.
Error LaunchRotaryAttention(const AttentionLaunch& launch, int head_dim,
                            int blocks, cudaStream_t stream);

}  // namespace qvg::kernels::device

#endif  // KERNELS_ATTENTION_KERNEL_CUH_
