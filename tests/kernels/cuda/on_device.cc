#include "tests/kernels/cuda/on_device.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "kernels/copy_tokens.h"
#include "tests/kernels/cuda/device_arrays.h"

namespace qvg::kernels {
namespace {

int64_t ValuesOf(const Points& points) {
  return std::max<int64_t>(0, points.heads * points.tokens * points.dim);
}

// Functions under test that return no Error must not fail.
void Require(const Error& error) {
  if (error.ok()) return;
  std::fprintf(stderr, "%s\n", error.message);
  std::abort();
}

// Device memory in place of an output; null stays null.
template <typename T>
T* Output(const T* host, int64_t count, DeviceArrays* arrays) {
  return host == nullptr ? nullptr
                         : static_cast<T*>(arrays->Poisoned(
                               std::max<int64_t>(count, 0) * sizeof(T)));
}

}  // namespace

Error DecodeRowsOnDevice(const PackedTensor& tensor, int64_t first,
                         int64_t tokens, uint16_t* out, ParallelFor&) {
  DeviceArrays arrays;
  const int64_t count = tokens * tensor.heads * tensor.codec.head_dim;
  uint16_t* device = Output(out, count, &arrays);
  const Error error = DecodeRowsCuda(arrays.Copy(tensor), first, tokens, device,
                                     arrays.stream());
  if (error.ok() && count > 0) arrays.Fetch(device, count, out);
  return error;
}

Error SubtractCentroidsOnDevice(const Points& points, const uint16_t* centroids,
                                int centroids_per_head, const uint8_t* ids,
                                ParallelFor&) {
  DeviceArrays arrays;
  Points device = points;
  device.values = arrays.Copy(points.values, ValuesOf(points));
  const Error error = SubtractCentroidsCuda(
      device,
      arrays.Copy(centroids,
                  int64_t{points.heads} * centroids_per_head * points.dim),
      centroids_per_head,
      arrays.Copy(ids, std::max<int64_t>(0, points.heads * points.tokens)),
      arrays.stream());
  if (error.ok()) {
    arrays.Fetch(device.values, ValuesOf(points), points.values);
  }
  return error;
}

Error QuantizeOnDevice(const QuantizeArgs& args, ParallelFor&) {
  DeviceArrays arrays;
  const int64_t values = ValuesOf(args.points);
  const int64_t rows = values / std::max(1, args.points.dim);
  const int64_t bytes =
      args.trits ? rows * ((args.points.dim + 4) / 5) : values * args.bits / 8;
  const int64_t blocks = values / std::max(1, args.block);
  QuantizeArgs device = args;
  device.points.values = arrays.Copy(args.points.values, values);
  device.codes = Output(args.codes, bytes, &arrays);
  device.scales = Output(args.scales, blocks, &arrays);
  device.zeros = Output(args.zeros, blocks, &arrays);
  const Error error = QuantizeCuda(device, arrays.stream());
  if (!error.ok() || values == 0) return error;
  arrays.Fetch(device.codes, bytes, args.codes);
  arrays.Fetch(device.scales, blocks, args.scales);
  if (args.rule == QuantizeRule::kMinMax) {
    arrays.Fetch(device.zeros, blocks, args.zeros);
  }
  return error;
}

Error EncodeMinMaxOnDevice(const MinMaxArgs& args, ParallelFor&) {
  DeviceArrays arrays;
  const int64_t dim = args.points.dim;
  const int64_t values = ValuesOf(args.points);
  const int64_t grouped =
      GroupedTokens(args.codec, args.points.tokens) * args.points.heads;
  const int64_t bytes = grouped * CodeBytes(args.codec);
  const int64_t groups = grouped * dim / args.codec.block;
  const int64_t rest = values - grouped * dim;
  MinMaxArgs device = args;
  device.points.values = arrays.Copy(args.points.values, values);
  device.codes = Output(args.codes, bytes, &arrays);
  device.half_scales = Output(args.half_scales, groups, &arrays);
  device.half_zeros = Output(args.half_zeros, groups, &arrays);
  device.rows = Output(args.rows, rest, &arrays);
  const Error error = EncodeMinMaxCuda(device, arrays.stream());
  if (!error.ok()) return error;
  if (bytes > 0) {
    arrays.Fetch(device.codes, bytes, args.codes);
    arrays.Fetch(device.half_scales, groups, args.half_scales);
    arrays.Fetch(device.half_zeros, groups, args.half_zeros);
  }
  if (rest > 0) arrays.Fetch(device.rows, rest, args.rows);
  return error;
}

void CopyTokensOnDevice(const PackedTensor& from, Encoding to, void* out) {
  DeviceArrays arrays;
  const size_t bytes = from.tokens * from.heads * from.codec.head_dim *
                       (to == Encoding::kF32 ? sizeof(float) : 2);
  auto* device = static_cast<uint8_t*>(arrays.Poisoned(bytes));
  Require(CopyTokensCuda(arrays.Copy(from), to, device, arrays.stream()));
  arrays.Fetch(device, bytes, static_cast<uint8_t*>(out));
}

bool AllFiniteOnDevice(const PackedTensor& tensor) {
  DeviceArrays arrays;
  int32_t finite = 1;
  int32_t* device = arrays.Copy(&finite, 1);
  Require(AllFiniteCuda(arrays.Copy(tensor), device, arrays.stream()));
  arrays.Fetch(device, 1, &finite);
  return finite != 0;
}

}  // namespace qvg::kernels
