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

void DeviceArrays::CopyResidual(PackedTensor* tensor) {
  const CodecDescriptor& codec = tensor->codec;
  const size_t dim = codec.head_dim;
  const size_t rows = tensor->tokens * tensor->heads;
  const size_t blocks = rows * dim / codec.block;
  tensor->codes = Copy(tensor->codes, rows * CodeBytes(codec));
  tensor->scales = Copy(tensor->scales, blocks);
  tensor->zeros = Copy(tensor->zeros, blocks);
  tensor->ids = Copy(tensor->ids, codec.stages * rows);
  tensor->centroids =
      Copy(tensor->centroids,
           size_t(codec.stages) * tensor->heads * codec.centroids * dim);
}

void DeviceArrays::CopyProduct(PackedTensor* tensor) {
  const size_t dim = tensor->codec.head_dim;
  const size_t rows = tensor->tokens * tensor->heads;
  ProductTables& tables = tensor->tables;
  tensor->codes = Copy(tensor->codes, rows * tensor->codec.parts);
  tensor->scales = Copy(tensor->scales, rows);
  tables.rotation = Copy(tables.rotation, tensor->heads * dim * dim);
  tables.mean = Copy(tables.mean, tensor->heads * dim);
  tables.codebook =
      Copy(tables.codebook, tensor->heads * dim * kProductEntries);
}

void DeviceArrays::CopyMinMax(PackedTensor* tensor) {
  const CodecDescriptor& codec = tensor->codec;
  const int64_t grouped = GroupedTokens(codec, tensor->tokens);
  const size_t rows = grouped * tensor->heads;
  const size_t groups = rows * codec.head_dim / codec.block;
  tensor->codes = Copy(tensor->codes, rows * CodeBytes(codec));
  tensor->half_scales = Copy(tensor->half_scales, groups);
  tensor->half_zeros = Copy(tensor->half_zeros, groups);
  PackedTensor rest = *tensor;
  rest.tokens -= grouped;
  tensor->values =
      Copy(static_cast<const uint16_t*>(tensor->values), RowElements(rest));
}

PackedTensor DeviceArrays::Copy(const PackedTensor& tensor) {
  PackedTensor copy = tensor;
  switch (tensor.codec.encoding) {
    case Encoding::kF32:
      copy.values =
          Copy(static_cast<const float*>(tensor.values), RowElements(tensor));
      break;
    case Encoding::kBf16:
      copy.values = Copy(static_cast<const uint16_t*>(tensor.values),
                         RowElements(tensor));
      break;
    case Encoding::kResidual:
      CopyResidual(&copy);
      break;
    case Encoding::kProduct:
      CopyProduct(&copy);
      break;
    case Encoding::kMinMax:
      CopyMinMax(&copy);
      break;
  }
  return copy;
}

}  // namespace qvg::kernels
