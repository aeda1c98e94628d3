#include "kernels/encode.h"

#include <algorithm>

namespace qvg::kernels {
namespace {

Error CheckShape(const EncodeArgs& args) {
  if (args.dim != 64 && args.dim != 128 && args.dim != 256) {
    return Error::Invalid("dim: must be 64, 128 or 256");
  }
  if (args.heads < 1) return Error::Invalid("heads: must be at least 1");
  if (args.tokens < 0) return Error::Invalid("tokens: must not be negative");
  if (args.count < 0 || (args.count > 0 && args.tensors == nullptr)) {
    return Error::Invalid("tensors, count: not a list");
  }
  return Error::Ok();
}

Error CheckCodec(const EncodeArgs& args) {
  if (args.stages < 1 || args.stages > kMaxStages) {
    return Error::Invalid("stages: must be 1 to 4");
  }
  if (args.clusters < 1 || args.clusters > kMaxCentroids) {
    return Error::Invalid("clusters: must be 1 to 256");
  }
  if (args.bits != 2 && args.bits != 4) {
    return Error::Invalid("bits: must be 2 or 4");
  }
  if (args.block != 16 && args.block != 32 && args.block != 64) {
    return Error::Invalid("block: must be 16, 32 or 64");
  }
  if (args.fit_rounds < 0 || args.fit_stride < 1) {
    return Error::Invalid("fit_rounds, fit_stride: out of range");
  }
  return Error::Ok();
}

Error CheckTensor(const EncodeArgs& args, const EncodeTensor& tensor) {
  if (tensor.rows == nullptr) return Error::Invalid("rows: null");
  if (reinterpret_cast<uintptr_t>(tensor.rows) % 16 != 0 ||
      tensor.token_stride % 8 != 0 || tensor.head_stride % 8 != 0) {
    return Error::Invalid("rows: must be aligned to 16 bytes");
  }
  if (tensor.centroids == nullptr || tensor.ids == nullptr ||
      tensor.codes == nullptr || tensor.scales == nullptr) {
    return Error::Invalid("centroids, ids, codes, scales: null");
  }
  if (reinterpret_cast<uintptr_t>(tensor.centroids) % 16 != 0 ||
      reinterpret_cast<uintptr_t>(tensor.codes) % 4 != 0) {
    return Error::Invalid("centroids, codes: not aligned");
  }
  if (args.rule == QuantizeRule::kMinMax && tensor.zeros == nullptr) {
    return Error::Invalid("zeros: null");
  }
  return Error::Ok();
}

}  // namespace

int FitStride(int64_t tokens, int clusters) {
  constexpr int64_t kTokensPerCluster = 28;
  return static_cast<int>(
      std::clamp<int64_t>(tokens / (kTokensPerCluster * clusters), 1, 8));
}

Error internal::CheckEncode(const EncodeArgs& args) {
  Error error = CheckShape(args);
  if (error.ok()) error = CheckCodec(args);
  if (args.tokens == 0) return error;
  for (int i = 0; error.ok() && i < args.count; ++i) {
    error = CheckTensor(args, args.tensors[i]);
  }
  return error;
}

}  // namespace qvg::kernels
