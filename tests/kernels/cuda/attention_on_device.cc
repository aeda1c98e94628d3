#include <vector>

#include "kernels/attention.h"
#include "tests/kernels/cuda/device_arrays.h"
#include "tests/kernels/on_device.h"

namespace qvg::kernels {
namespace {

// Elements from the first to the last of strided rows, inclusive.
size_t Extent(const AttentionArgs& args, int64_t token_stride,
              int64_t head_stride) {
  return (args.queries - 1) * token_stride + (args.heads - 1) * head_stride +
         args.head_dim;
}

Error Attend(const AttentionArgs& host, void*, size_t, ParallelFor&) {
  DeviceArrays device;
  const size_t out_size =
      Extent(host, host.out_token_stride, host.out_head_stride);
  std::vector<KvSegment> segments;
  for (int i = 0; i < host.num_segments; ++i) {
    segments.push_back({device.Copy(host.segments[i].keys),
                        device.Copy(host.segments[i].values),
                        host.segments[i].position});
  }
  AttentionArgs args = host;
  const RotaryTables& rotary = host.rotary;
  const int64_t counts[3] = {rotary.frames, rotary.rows, rotary.columns};
  for (int axis = 0; axis < 3; ++axis) {
    args.rotary.turns[axis] =
        device.Copy(rotary.turns[axis], counts[axis] * rotary.pairs[axis] * 2);
  }
  args.q = device.Copy(host.q,
                       Extent(host, host.q_token_stride, host.q_head_stride));
  args.out = device.Copy(host.out, out_size);
  args.lse = device.Copy(host.lse, host.heads * host.queries);
  args.segments = device.Copy(segments.data(), segments.size());
  const size_t bytes = AttentionCudaWorkspaceBytes(&args, 1);
  const Error error =
      AttentionCuda(&args, 1, device.Poisoned(bytes), bytes, device.stream());
  if (!error.ok()) return error;
  device.Fetch(args.out, out_size, host.out);
  if (host.lse != nullptr) {
    device.Fetch(args.lse, host.heads * host.queries, host.lse);
  }
  return Error::Ok();
}

}  // namespace

AttentionFunction AttentionOnDevice() { return Attend; }

}  // namespace qvg::kernels
