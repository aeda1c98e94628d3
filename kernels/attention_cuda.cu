#include <algorithm>
#include <cstdint>

#include "kernels/attention.h"
#include "kernels/attention_consumer.cuh"
#include "kernels/attention_phases.cuh"
#include "kernels/attention_plan.cuh"
#include "kernels/attention_producer.cuh"
#include "kernels/attention_softmax.cuh"
#include "kernels/attention_spaces.cuh"
#include "kernels/cuda_check.h"
#include "kernels/workspace.h"

namespace qvg::kernels {
namespace device {
namespace {

constexpr int kConsumers = 2;
constexpr int kThreads = (1 + kConsumers) * kWarpgroup;
constexpr int kFirstConsumerBarrier = 2;
// After the roles are known; together no more than the launch took, which is
// 168 for each thread.
constexpr int kProducerRegisters = 104;
constexpr int kConsumerRegisters = 200;
constexpr float kLowest = -1e30f;

template <int D>
struct alignas(1024) Shared {
  uint8_t queries[kItemQueries * D * 2];
  Stages<D> stages;
  StageBarriers barriers;
  float bias[kItemQueries];
};

__device__ void InitBarriers(StageBarriers& barriers) {
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

template <int D>
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
  while (NextPhase(phase.end, end, head.in_problem, &phase)) {
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

template <int D>
__global__ void __launch_bounds__(kThreads, 1)
    AttentionKernel(const __grid_constant__ AttentionLaunch launch) {
  extern __shared__ uint8_t memory[];
  Shared<D>& shared = *reinterpret_cast<Shared<D>*>(
      (reinterpret_cast<uintptr_t>(memory) + 1023) & ~uintptr_t{1023});
  if (threadIdx.x == 0) InitBarriers(shared.barriers);
  __syncthreads();
  const int warpgroup = static_cast<int>(threadIdx.x) / kWarpgroup;
  if (warpgroup == kConsumers) {
    ShrinkRegisters<kProducerRegisters>();
    const int thread = static_cast<int>(threadIdx.x) % kWarpgroup;
    if (thread < kDecoders) {
      DecodeTiles<D>(launch, thread);
    } else if (thread == kDecoders) {
      CopyTiles<D>(launch, shared.stages, shared.barriers);
    }
  } else {
    GrowRegisters<kConsumerRegisters>();
    Consumer<D> on;
    on.query = SharedAddress(shared.queries + warpgroup * 64 * 128);
    on.stages = &shared.stages;
    on.barriers = &shared.barriers;
    on.scale_log2 = launch.scale * kLog2E;
    on.warpgroup = warpgroup;
    if (warpgroup == 1) on.EndTurn();  // the first turn is warpgroup 0's
    for (int i = blockIdx.x; i < launch.items; i += gridDim.x) {
      AttendItem<D>(launch, i, on, shared);
    }
  }
}

// Problems travel as kernel arguments: nothing of the host's memory is needed
// after the call.
constexpr int kProblemsPerUpload = 32;
struct Upload {
  AttentionProblem problems[kProblemsPerUpload];
};
__global__ void UploadProblems(const __grid_constant__ Upload upload, int count,
                               AttentionProblem* to) {
  const auto* from = reinterpret_cast<const uint64_t*>(upload.problems);
  const int words = count * static_cast<int>(sizeof(AttentionProblem) / 8);
  for (int i = threadIdx.x; i < words; i += blockDim.x) {
    reinterpret_cast<uint64_t*>(to)[i] = from[i];
  }
}

}  // namespace
}  // namespace device

namespace {

using device::AttentionLaunch;
using device::AttentionProblem;
using device::GroupState;

constexpr int64_t kRingBytes = int64_t{16} << 20;
constexpr int kMaxItems = 1 << 20;

int TileBytes(int head_dim) {
  return 2 * (head_dim == 256   ? device::kTileBytes<256>
              : head_dim == 128 ? device::kTileBytes<128>
                                : device::kTileBytes<64>);
}

int64_t ItemsPerHead(const AttentionArgs& args) {
  return (args.queries + device::kItemQueries - 1) / device::kItemQueries;
}

// The pieces of a workspace, and how the rings are cut.
struct Plan {
  int items = 0;
  int blocks = 0;
  AttentionLaunch launch;
  size_t zeroed_bytes = 0;  // at the start
  size_t bytes = 0;
};

int Multiprocessors() {
  int device = 0;
  int count = 0;
  if (cudaGetDevice(&device) != cudaSuccess) return 1;
  if (cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device) !=
      cudaSuccess) {
    return 1;
  }
  return count;
}

Plan MakePlan(const AttentionArgs* problems, int count, void* workspace) {
  Plan plan;
  int64_t items = 0;
  int64_t shortest = kMaxItems;
  for (int i = 0; i < count; ++i) {
    items += problems[i].heads * ItemsPerHead(problems[i]);
    shortest = std::min(shortest, ItemsPerHead(problems[i]));
  }
  plan.items = static_cast<int>(std::min<int64_t>(items, kMaxItems + 1));
  plan.blocks = std::min(plan.items, Multiprocessors());
  const int heads = count * problems[0].heads;
  const int rounds = (plan.items + plan.blocks - 1) / plan.blocks;
  AttentionLaunch& launch = plan.launch;
  // Heads that a round touches, cut ones at both ends included.
  launch.groups_per_round = static_cast<int>(
      std::min<int64_t>({heads, plan.blocks, plan.blocks / shortest + 2}));
  const int64_t tile = TileBytes(problems[0].head_dim);
  const int64_t rings = std::min(rounds, 2) * launch.groups_per_round;
  launch.slots = static_cast<int>(
      std::clamp<int64_t>(kRingBytes / (rings * tile), 2, device::kMaxSlots));
  WorkspaceCutter cutter(workspace);
  auto* copies = cutter.Take<AttentionProblem>(count);
  launch.groups = cutter.Take<GroupState>(heads + rounds);
  launch.finished = cutter.Take<uint32_t>(rounds);
  plan.zeroed_bytes = cutter.bytes();
  launch.rings = cutter.Take<uint8_t>(rings * launch.slots * tile);
  launch.problems = copies;
  launch.count = count;
  launch.items = plan.items;
  launch.heads = problems[0].heads;
  launch.scale = problems[0].scale;
  plan.bytes = cutter.bytes();
  return plan;
}

Error CheckProblems(const AttentionArgs* problems, int count) {
  if (count < 1) return Error::Invalid("count: must be positive");
  for (int i = 0; i < count; ++i) {
    const AttentionArgs& args = problems[i];
    if (args.head_dim != 64 && args.head_dim != 128 && args.head_dim != 256) {
      return Error::Invalid("head_dim: must be 64, 128 or 256");
    }
    if (args.heads < 1) return Error::Invalid("heads: must be positive");
    if (args.queries < 1) return Error::Invalid("queries: must be positive");
    if (args.num_segments < 1) {
      return Error::Invalid("num_segments: must be positive");
    }
    if (args.q == nullptr || args.out == nullptr || args.segments == nullptr) {
      return Error::Invalid("q, out, segments: must not be null");
    }
    if (args.heads != problems[0].heads || args.scale != problems[0].scale ||
        args.head_dim != problems[0].head_dim) {
      return Error::Invalid(
          "heads, head_dim, scale: must be those of the first problem");
    }
  }
  return Error::Ok();
}

Error UploadAll(const AttentionArgs* problems, const Plan& plan,
                cudaStream_t stream) {
  int first_item = 0;
  auto* to = const_cast<AttentionProblem*>(plan.launch.problems);
  for (int i = 0; i < plan.launch.count; i += device::kProblemsPerUpload) {
    const int count =
        std::min(plan.launch.count - i, device::kProblemsPerUpload);
    device::Upload upload;
    for (int j = 0; j < count; ++j) {
      const AttentionArgs& args = problems[i + j];
      upload.problems[j] = {
          args.q,     args.q_token_stride,   args.q_head_stride,
          args.out,   args.out_token_stride, args.out_head_stride,
          args.lse,   args.segments,         args.num_segments,
          first_item, args.queries};
      first_item += args.heads * static_cast<int>(ItemsPerHead(args));
    }
    device::UploadProblems<<<1, 128, 0, stream>>>(upload, count, to + i);
  }
  return LaunchError();
}

template <int D>
Error Launch(const Plan& plan, cudaStream_t stream) {
  // The block's dynamic memory may start off the alignment of Shared.
  constexpr size_t kBytes = sizeof(device::Shared<D>) + 1024;
  auto* kernel = device::AttentionKernel<D>;
  const Error error = ToError(cudaFuncSetAttribute(
      kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes));
  if (!error.ok()) return error;
  AttentionLaunch launch = plan.launch;
  void* args[] = {&launch};
  // Blocks wait for each other, so all of them must run at once.
  return ToError(cudaLaunchCooperativeKernel(
      reinterpret_cast<const void*>(kernel), dim3(plan.blocks),
      dim3(device::kThreads), args, kBytes, stream));
}

}  // namespace

size_t AttentionCudaWorkspaceBytes(const AttentionArgs* problems, int count) {
  if (!CheckProblems(problems, count).ok()) return 0;
  return MakePlan(problems, count, nullptr).bytes;
}

Error AttentionCuda(const AttentionArgs* problems, int count, void* workspace,
                    size_t workspace_bytes, CudaStream stream) {
  if (Error error = CheckProblems(problems, count); !error.ok()) return error;
  if (Error error = CheckDevice(); !error.ok()) return error;
  const Plan plan = MakePlan(problems, count, workspace);
  if (plan.items > kMaxItems) {
    return Error::Invalid("queries: too many for one call");
  }
  Error error = CheckWorkspace(workspace, workspace_bytes, plan.bytes);
  if (!error.ok()) return error;
  error = ToError(cudaMemsetAsync(workspace, 0, plan.zeroed_bytes, stream));
  if (!error.ok()) return error;
  if (error = UploadAll(problems, plan, stream); !error.ok()) return error;
  switch (problems[0].head_dim) {
    case 64:
      return Launch<64>(plan, stream);
    case 128:
      return Launch<128>(plan, stream);
    default:
      return Launch<256>(plan, stream);
  }
}

}  // namespace qvg::kernels
