#include "kernels/attention.h"

#include <algorithm>

#include "kernels/attention_internal.h"
#include "kernels/decode_tile.h"

namespace qvg::kernels {
namespace {

using internal::AttendBlockFunction;
using internal::kQueryBlock;

constexpr size_t kAlignment = 64;

size_t WorkerBytes(int head_dim) {
  const size_t bytes = std::max(internal::ReferenceFloats(head_dim),
                                internal::FastFloats(head_dim)) *
                       sizeof(float);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

int64_t BlocksPerHead(const AttentionArgs& args) {
  return (args.queries + kQueryBlock - 1) / kQueryBlock;
}

Error CheckTensor(const AttentionArgs& args, const PackedTensor& tensor) {
  if (tensor.heads != args.heads) {
    return Error::Invalid("segments: heads differ from heads");
  }
  if (tensor.codec.head_dim != args.head_dim) {
    return Error::Invalid("segments: head_dim differs from head_dim");
  }
  return Check(tensor);
}

Error CheckSegments(const AttentionArgs& args) {
  if (args.num_segments > 0 && args.segments == nullptr) {
    return Error::Invalid("segments: null");
  }
  int64_t tokens = 0;
  for (int i = 0; i < args.num_segments; ++i) {
    const KvSegment& segment = args.segments[i];
    if (segment.keys.tokens != segment.values.tokens) {
      return Error::Invalid("segments: tokens of keys and values differ");
    }
    Error error = CheckTensor(args, segment.keys);
    if (error.ok()) error = CheckTensor(args, segment.values);
    if (error.ok()) {
      error =
          CheckPositions(args.rotary, segment.position, segment.keys.tokens);
    }
    if (!error.ok()) return error;
    tokens += segment.keys.tokens;
  }
  if (tokens == 0) return Error::Invalid("segments: not a single token");
  return Error::Ok();
}

Error CheckShape(const AttentionArgs& args) {
  const int dim = args.head_dim;
  if (args.heads < 1) return Error::Invalid("heads: must be at least 1");
  if (dim != 64 && dim != 128 && dim != 256) {
    return Error::Invalid("head_dim: must be 64, 128 or 256");
  }
  if (args.queries < 0) return Error::Invalid("queries: must not be negative");
  if (args.queries > 0 && (args.q == nullptr || args.out == nullptr)) {
    return Error::Invalid("q, out: null");
  }
  const Error error = Check(args.rotary, dim);
  return error.ok() ? CheckSegments(args) : error;
}

Error CheckWorkspace(const AttentionArgs& args, const void* workspace,
                     size_t bytes, const ParallelFor& parallel_for) {
  if (bytes < AttentionWorkspaceBytes(args, parallel_for)) {
    return Error::Invalid("workspace_bytes: too small");
  }
  if (workspace == nullptr ||
      reinterpret_cast<uintptr_t>(workspace) % kAlignment != 0) {
    return Error::Invalid("workspace: must be aligned to 64 bytes");
  }
  return Error::Ok();
}

Error Run(AttendBlockFunction attend, const AttentionArgs& args,
          void* workspace, size_t bytes, ParallelFor& parallel_for) {
  Error error = CheckShape(args);
  if (error.ok()) error = CheckWorkspace(args, workspace, bytes, parallel_for);
  if (!error.ok()) return error;
  const int64_t blocks = BlocksPerHead(args);
  parallel_for(args.heads * blocks, [&](int64_t item, int worker) {
    internal::QueryBlock block;
    block.head = static_cast<int>(item / blocks);
    block.first = item % blocks * kQueryBlock;
    block.count = static_cast<int>(
        std::min<int64_t>(kQueryBlock, args.queries - block.first));
    char* own =
        static_cast<char*>(workspace) + worker * WorkerBytes(args.head_dim);
    attend(args, block, reinterpret_cast<float*>(own));
  });
  return Error::Ok();
}

}  // namespace

size_t AttentionWorkspaceBytes(const AttentionArgs& args,
                               const ParallelFor& parallel_for) {
  return parallel_for.workers() * WorkerBytes(args.head_dim);
}

Error Attention(const AttentionArgs& args, void* workspace,
                size_t workspace_bytes, ParallelFor& parallel_for) {
  return Run(internal::AttendBlockFast, args, workspace, workspace_bytes,
             parallel_for);
}

Error AttentionReference(const AttentionArgs& args, void* workspace,
                         size_t workspace_bytes, ParallelFor& parallel_for) {
  return Run(internal::AttendBlockReference, args, workspace, workspace_bytes,
             parallel_for);
}

}  // namespace qvg::kernels
