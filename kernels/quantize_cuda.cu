#include "kernels/cuda_check.h"
#include "kernels/cuda_launch.h"
#include "kernels/quantize.h"
#include "kernels/quantize_cuda.cuh"

namespace qvg::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kOctet = 8;

// One thread per octet of [H,T,D], lanes of a block side by side. Threads past
// the end repeat the last octet, for the exchange between lanes.
__global__ __launch_bounds__(kThreads) void QuantizeKernel(QuantizeArgs args) {
  const Points& points = args.points;
  const int octets = points.dim / kOctet;
  const int lanes = args.block / kOctet;
  const int64_t total = points.heads * points.tokens * octets;
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int64_t at = min(i, total - 1);
  const uint4 values = reinterpret_cast<const uint4*>(points.values)[at];
  device::BlockRange range = device::RangeOf(values, args.rule);
  for (int step = 1; step < lanes; step *= 2) {
    range = device::JoinLanes(range, step);
  }
  if (i >= total) return;
  const auto block = device::ScaleOf(range, args.rule, args.bits);
  const int64_t point = at / octets;
  const int64_t row =
      point % points.tokens * points.heads + point / points.tokens;
  const int64_t octet = row * octets + at % octets;
  if (args.bits == 4) {
    reinterpret_cast<uint32_t*>(args.codes)[octet] =
        device::PackOctet(values, args.rule, 4, block);
  } else {
    const uint32_t word = args.rule == QuantizeRule::kAbsmax
                              ? device::PackTernary(values, block.scale)
                              : device::PackOctet(values, args.rule, 2, block);
    reinterpret_cast<uint16_t*>(args.codes)[octet] =
        static_cast<uint16_t>(word);
  }
  if (octet % lanes != 0) return;
  args.scales[octet / lanes] = block.scale;
  if (args.rule == QuantizeRule::kMinMax) {
    args.zeros[octet / lanes] = block.zero;
  }
}

}  // namespace

Error QuantizeCuda(const QuantizeArgs& args, CudaStream stream) {
  Error error = internal::CheckQuantize(args);
  if (!error.ok()) return error;
  if (args.trits || !device::IsQuantized(args.rule)) {
    return Error::Unimplemented("device: no searched or four levels, no trits");
  }
  if (!IsAligned(args.points.values, 16) || !IsAligned(args.codes, 4)) {
    return Error::Invalid("points, codes: not aligned");
  }
  error = CheckDevice();
  if (!error.ok() || args.points.tokens == 0) return error;
  const int64_t octets =
      args.points.heads * args.points.tokens * (args.points.dim / kOctet);
  const auto grid = static_cast<unsigned>((octets + kThreads - 1) / kThreads);
  QuantizeKernel<<<grid, kThreads, 0, stream>>>(args);
  return LaunchError();
}

}  // namespace qvg::kernels
