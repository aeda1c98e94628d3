#include <algorithm>

#include "tests/kernels/cuda/device_arrays.h"
#include "tests/kernels/cuda/on_device.h"

namespace qvg::kernels {
namespace {

ProductTables ToDevice(const ProductTables& tables, int64_t heads, int64_t dim,
                       DeviceArrays* arrays) {
  return {arrays->Copy(tables.rotation, heads * dim * dim),
          arrays->Copy(tables.mean, heads * dim),
          arrays->Copy(tables.codebook, heads * dim * kProductEntries)};
}

}  // namespace

Error EncodeProductOnDevice(const ProductArgs& args, void*,
                            size_t workspace_bytes, ParallelFor& parallel_for) {
  DeviceArrays arrays;
  const int64_t dim = args.rows.codec.head_dim;
  const int64_t vectors = args.rows.tokens * args.rows.heads;
  const int64_t code_bytes = vectors * args.parts;
  ProductArgs device = args;
  device.rows = arrays.Copy(args.rows);
  device.tables = ToDevice(args.tables, args.rows.heads, dim, &arrays);
  if (args.codes != nullptr) {
    device.codes = static_cast<uint8_t*>(arrays.Poisoned(code_bytes));
  }
  device.scales = static_cast<uint8_t*>(arrays.Poisoned(vectors));
  const size_t host_bytes = ProductWorkspaceBytes(args, parallel_for);
  const size_t missing = host_bytes - std::min(workspace_bytes, host_bytes);
  const size_t bytes = ProductCudaWorkspaceBytes(device);
  const Error error =
      EncodeProductCuda(device, arrays.Poisoned(bytes),
                        bytes - std::min(missing, bytes), arrays.stream());
  if (!error.ok() || vectors == 0) return error;
  arrays.Fetch(device.codes, code_bytes, args.codes);
  arrays.Fetch(device.scales, vectors, args.scales);
  return error;
}

}  // namespace qvg::kernels
