#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

#include "tests/kernels/cuda/device_arrays.h"

namespace qvg::kernels {
namespace {

void Check(cudaError_t error) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "CUDA: %s\n", cudaGetErrorString(error));
  std::abort();
}

// Elements between the first and the last that a view of rows reads, inclusive.
size_t RowElements(const PackedTensor& t) {
  if (t.tokens == 0) return 0;
  return (t.tokens - 1) * t.token_stride + (t.heads - 1) * t.head_stride +
         t.codec.head_dim;
}

}  // namespace

bool HasGpu() {
  int devices = 0;
  return cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
}

DeviceArrays::DeviceArrays() { Check(cudaStreamCreate(&stream_)); }

DeviceArrays::~DeviceArrays() {
  Check(cudaStreamSynchronize(stream_));
  for (void* array : arrays_) Check(cudaFree(array));
  Check(cudaStreamDestroy(stream_));
}

void* DeviceArrays::Poisoned(size_t bytes) {
  void* array = nullptr;
  Check(cudaMalloc(&array, bytes > 0 ? bytes : 1));
  Check(cudaMemset(array, 0xff, bytes));
  arrays_.push_back(array);
  return array;
}

void* DeviceArrays::CopyBytes(const void* host, size_t bytes) {
  void* array = Poisoned(bytes);
  Check(cudaMemcpy(array, host, bytes, cudaMemcpyHostToDevice));
  return array;
}

void DeviceArrays::FetchBytes(const void* device, size_t bytes, void* host) {
  Check(cudaStreamSynchronize(stream_));
  Check(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost));
}

PackedTensor DeviceArrays::Copy(const PackedTensor& tensor) {
  const CodecDescriptor& codec = tensor.codec;
  const size_t dim = codec.head_dim;
  const size_t rows = tensor.tokens * tensor.heads;
  PackedTensor copy = tensor;
  if (codec.encoding == Encoding::kF32) {
    copy.values =
        Copy(static_cast<const float*>(tensor.values), RowElements(tensor));
  } else if (codec.encoding == Encoding::kBf16) {
    copy.values =
        Copy(static_cast<const uint16_t*>(tensor.values), RowElements(tensor));
  } else if (codec.encoding == Encoding::kResidual) {
    const size_t blocks = rows * dim / codec.block;
    copy.codes = Copy(tensor.codes, rows * CodeBytes(codec));
    copy.scales = Copy(tensor.scales, blocks);
    copy.zeros = Copy(tensor.zeros, blocks);
    copy.ids = Copy(tensor.ids, codec.stages * rows);
    copy.centroids =
        Copy(tensor.centroids,
             size_t(codec.stages) * tensor.heads * codec.centroids * dim);
  } else if (codec.encoding == Encoding::kProduct) {
    const ProductTables& tables = tensor.tables;
    copy.codes = Copy(tensor.codes, rows * codec.parts);
    copy.scales = Copy(tensor.scales, rows);
    copy.tables.rotation = Copy(tables.rotation, tensor.heads * dim * dim);
    copy.tables.mean = Copy(tables.mean, tensor.heads * dim);
    copy.tables.codebook =
        Copy(tables.codebook, tensor.heads * dim * kProductEntries);
  }
  if (codec.encoding == Encoding::kMinMax) CopyMinMax(tensor, &copy);
  return copy;
}

void DeviceArrays::CopyMinMax(const PackedTensor& tensor, PackedTensor* copy) {
  const CodecDescriptor& codec = tensor.codec;
  const size_t grouped = GroupedTokens(codec, tensor.tokens) * tensor.heads;
  const size_t groups = grouped * codec.head_dim / codec.block;
  copy->codes = Copy(tensor.codes, grouped * CodeBytes(codec));
  copy->half_scales = Copy(tensor.half_scales, groups);
  copy->half_zeros = Copy(tensor.half_zeros, groups);
  PackedTensor rest = tensor;
  rest.tokens -= GroupedTokens(codec, tensor.tokens);
  copy->values =
      Copy(static_cast<const uint16_t*>(tensor.values), RowElements(rest));
}

}  // namespace qvg::kernels
