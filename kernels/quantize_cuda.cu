#include "kernels/cuda_check.h"
#include "kernels/cuda_launch.h"
#include "kernels/quantize.h"
#include "kernels/quantize_cuda.cuh"
#include "kernels/rows_internal.h"
#include "kernels/search_cuda.cuh"

namespace qvg::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kOctet = 8;

// The rows of one head that a block takes; a thread holds one octet of them,
// lanes of a block of channels side by side.
struct Place {
  __device__ explicit Place(const Points& points)
      : octets(points.dim / kOctet),
        rows(kThreads / octets),
        row(threadIdx.x / octets),
        octet(threadIdx.x % octets),
        head(blockIdx.y),
        first(int64_t{blockIdx.x} * rows),
        // Threads without a row repeat one, for the exchange between lanes.
        token(min(first + min(row, rows - 1), points.tokens - 1)),
        there(row < rows && first + row < points.tokens) {}

  int octets;
  int rows;
  int row;
  int octet;
  int head;
  int64_t first;
  int64_t token;
  bool there;
};

__device__ device::BlockScale ScaleOf(const QuantizeArgs& args, uint4 values) {
  const int lanes = args.block / kOctet;
  device::BlockRange range = device::RangeOf(values, args.rule);
  for (int step = 1; step < lanes; step *= 2) {
    range = device::JoinLanes(range, args.rule, step);
  }
  if (!device::IsSearched(args.rule)) {
    return device::ScaleOf(range, args.rule, args.bits);
  }
  return {device::SearchScale(values, make_uint4(0, 0, 0, 0), 1, range.high,
                              args.rule, lanes),
          0};
}

__device__ uint32_t WordOf(const QuantizeArgs& args, uint4 values,
                           device::BlockScale block) {
  if (HasFourLevels(args.rule)) {
    return device::PackFourLevels(values, block.scale);
  }
  const bool ternary = args.bits == 2 && (args.rule == QuantizeRule::kAbsmax ||
                                          args.rule == QuantizeRule::kSearch);
  return ternary ? device::PackTernary(values, block.scale)
                 : device::PackOctet(values, args.rule, args.bits, block);
}

// Five codes to a byte, from the block's words of two-bit codes; zeros after
// the last channel.
__device__ void StoreTrits(const QuantizeArgs& args, const Place& place,
                           const uint16_t* words) {
  const int bytes = (args.points.dim + 4) / 5;
  const int rows = static_cast<int>(
      min(int64_t{place.rows}, args.points.tokens - place.first));
  for (int i = threadIdx.x; i < rows * bytes; i += kThreads) {
    const int row = i / bytes;
    int number = 0;
    for (int c = i % bytes * 5; c < i % bytes * 5 + 5; ++c) {
      const int shift = c % kOctet / 4 * 8 + 6 - 2 * (c % 4);
      const int code = c < args.points.dim
                           ? words[row * place.octets + c / kOctet] >> shift & 3
                           : 0;
      number = 3 * number + code;
    }
    const int64_t at = (place.first + row) * args.points.heads + place.head;
    args.codes[at * bytes + i % bytes] =
        static_cast<uint8_t>((number * 256 + 242) / 243);
  }
}

__global__ __launch_bounds__(kThreads) void QuantizeKernel(
    const __grid_constant__ QuantizeArgs args) {
  __shared__ uint16_t words[kThreads];
  const Points& points = args.points;
  const Place place(points);
  const int64_t point = place.head * points.tokens + place.token;
  const uint4 values = __ldcs(reinterpret_cast<const uint4*>(points.values) +
                              point * place.octets + place.octet);
  const device::BlockScale block = ScaleOf(args, values);
  const uint32_t word = WordOf(args, values, block);
  if (args.trits) {
    words[threadIdx.x] = static_cast<uint16_t>(word);
    __syncthreads();
    StoreTrits(args, place, words);
  }
  if (!place.there) return;
  const int64_t octet =
      (place.token * points.heads + place.head) * place.octets + place.octet;
  if (args.bits == 4) {
    reinterpret_cast<uint32_t*>(args.codes)[octet] = word;
  } else if (!args.trits) {
    reinterpret_cast<uint16_t*>(args.codes)[octet] =
        static_cast<uint16_t>(word);
  }
  const int shift = __ffs(args.block / kOctet) - 1;
  if ((place.octet & ((1 << shift) - 1)) != 0) return;
  args.scales[octet >> shift] = block.scale;
  if (args.rule == QuantizeRule::kMinMax) {
    args.zeros[octet >> shift] = block.zero;
  }
}

}  // namespace

Error QuantizeCuda(const QuantizeArgs& args, CudaStream stream) {
  Error error = internal::CheckQuantize(args);
  if (!error.ok()) return error;
  if (!IsAligned(args.points.values, 16) ||
      !(args.trits || IsAligned(args.codes, 4))) {
    return Error::Invalid("points, codes: not aligned");
  }
  error = CheckDevice();
  if (!error.ok() || args.points.tokens == 0) return error;
  const int rows = kThreads / (args.points.dim / kOctet);
  const dim3 grid(
      static_cast<unsigned>(internal::Tiles(args.points.tokens, rows)),
      args.points.heads);
  QuantizeKernel<<<grid, kThreads, 0, stream>>>(args);
  return LaunchError();
}

}  // namespace qvg::kernels
