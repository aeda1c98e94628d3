#include <vector>

#include "tests/kernels/cuda/device_arrays.h"
#include "tests/kernels/cuda/on_device.h"

namespace qvg::kernels {
namespace {

struct Sizes {
  explicit Sizes(const EncodeArgs& args)
      : centroids(int64_t{args.stages} * args.heads * args.clusters * args.dim),
        ids(args.stages * args.heads * args.tokens),
        codes(args.heads * args.tokens * args.dim * args.bits / 8),
        scales(args.heads * args.tokens * args.dim / args.block) {}

  int64_t centroids;
  int64_t ids;
  int64_t codes;
  int64_t scales;
};

int64_t RowElements(const EncodeArgs& args, const EncodeTensor& tensor) {
  return (args.tokens - 1) * tensor.token_stride +
         (args.heads - 1) * tensor.head_stride + args.dim;
}

EncodeTensor ToDevice(const EncodeArgs& args, const EncodeTensor& host,
                      DeviceArrays* arrays) {
  const Sizes sizes(args);
  EncodeTensor device = host;
  device.rows = arrays->Copy(host.rows, RowElements(args, host));
  device.centroids = arrays->Copy(host.centroids, sizes.centroids);
  device.ids = static_cast<uint8_t*>(arrays->Poisoned(sizes.ids));
  device.codes = static_cast<uint8_t*>(arrays->Poisoned(sizes.codes));
  device.scales = static_cast<uint8_t*>(arrays->Poisoned(sizes.scales));
  device.zeros = static_cast<uint8_t*>(arrays->Poisoned(sizes.scales));
  return device;
}

void FromDevice(const EncodeArgs& args, const EncodeTensor& device,
                const EncodeTensor& host, DeviceArrays* arrays) {
  const Sizes sizes(args);
  arrays->Fetch(device.centroids, sizes.centroids, host.centroids);
  arrays->Fetch(device.ids, sizes.ids, host.ids);
  arrays->Fetch(device.codes, sizes.codes, host.codes);
  arrays->Fetch(device.scales, sizes.scales, host.scales);
  if (host.zeros != nullptr) {
    arrays->Fetch(device.zeros, sizes.scales, host.zeros);
  }
}

}  // namespace

Error EncodeOnDevice(const EncodeArgs& args) {
  DeviceArrays arrays;
  std::vector<EncodeTensor> tensors;
  for (int i = 0; i < args.count; ++i) {
    tensors.push_back(ToDevice(args, args.tensors[i], &arrays));
  }
  EncodeArgs device = args;
  device.tensors = tensors.data();
  const size_t bytes = EncodeCudaWorkspaceBytes(device);
  const Error error =
      EncodeCuda(device, arrays.Poisoned(bytes), bytes, arrays.stream());
  for (int i = 0; error.ok() && i < args.count; ++i) {
    FromDevice(args, tensors[i], args.tensors[i], &arrays);
  }
  return error;
}

}  // namespace qvg::kernels
