#include <algorithm>
#include <cstdint>

#include "kernels/attention.h"
#include "kernels/attention_kernel.cuh"
#include "kernels/attention_plan.cuh"
#include "kernels/cuda_check.h"
#include "kernels/cuda_launch.h"
#include "kernels/workspace.h"

namespace qvg::kernels {
namespace device {
namespace {

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

constexpr int64_t kRingBytes = int64_t{32} << 20;
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

Plan MakePlan(const AttentionArgs* problems, int count, void* workspace) {
  Plan plan;
  int64_t items = 0;
  int64_t shortest = kMaxItems;
  for (int i = 0; i < count; ++i) {
    items += problems[i].heads * ItemsPerHead(problems[i]);
    shortest = std::min(shortest, ItemsPerHead(problems[i]));
  }
  plan.items = static_cast<int>(std::min<int64_t>(items, kMaxItems + 1));
  plan.blocks = std::min(plan.items, MultiprocessorCount());
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
  launch.rotary = problems[0].rotary;
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
    if (Error error = Check(args.rotary, args.head_dim); !error.ok()) {
      return error;
    }
    if (args.heads != problems[0].heads || args.scale != problems[0].scale ||
        args.head_dim != problems[0].head_dim ||
        !(args.rotary == problems[0].rotary)) {
      return Error::Invalid(
          "heads, head_dim, scale, rotary: must be those of the first problem");
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

Error Launch(const Plan& plan, int head_dim, cudaStream_t stream) {
  if (!plan.launch.rotary.empty()) {
    return device::LaunchRotaryAttention(plan.launch, head_dim, plan.blocks,
                                         stream);
  }
  switch (head_dim) {
    case 64:
      return device::LaunchAttention<64, false>(plan.launch, plan.blocks,
                                                stream);
    case 128:
      return device::LaunchAttention<128, false>(plan.launch, plan.blocks,
                                                 stream);
    default:
      return device::LaunchAttention<256, false>(plan.launch, plan.blocks,
                                                 stream);
  }
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
  return Launch(plan, problems[0].head_dim, stream);
}

}  // namespace qvg::kernels
