#include "server/generator/tinyworld/weights_file.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/generator/checkpoint/safetensors.h"

namespace qvg::tinyworld {
namespace {

absl::StatusOr<at::Tensor> Read(const Safetensors& file,
                                const ParameterInfo& info) {
  const StoredTensor* stored = file.Find(info.name);
  if (stored == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("no tensor '", info.name, "'"));
  }
  if (stored->dtype != Dtype::kBf16 || stored->shape != info.shape) {
    return absl::InvalidArgumentError(
        absl::StrCat(info.name, ": ", ToString(stored->dtype), " [",
                     absl::StrJoin(stored->shape, ","), "], expected BF16 [",
                     absl::StrJoin(info.shape, ","), "]"));
  }
  const at::Tensor bf16 = at::empty(info.shape, at::kBFloat16);
  std::memcpy(bf16.mutable_data_ptr(), stored->bytes.data(),
              stored->bytes.size());
  return bf16.to(at::kFloat);
}

}  // namespace

absl::Status SaveWeights(const Parameters& parameters,
                         const std::string& path) {
  std::vector<at::Tensor> values;
  std::vector<StoredTensor> stored;
  for (const ParameterInfo& info : ParameterTable()) {
    values.push_back((parameters.*info.tensor)
                         .detach()
                         .to(at::kCPU, at::kBFloat16)
                         .contiguous());
    const at::Tensor& t = values.back();
    stored.push_back({info.name,
                      Dtype::kBf16,
                      info.shape,
                      {static_cast<const uint8_t*>(t.const_data_ptr()),
                       static_cast<size_t>(t.nbytes())}});
  }
  return WriteSafetensors(path, stored);
}

absl::StatusOr<Parameters> LoadWeights(const std::string& path) {
  const absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Open(path);
  if (!file.ok()) return file.status();
  Parameters parameters;
  for (const ParameterInfo& info : ParameterTable()) {
    absl::StatusOr<at::Tensor> tensor = Read(file->contents(), info);
    if (!tensor.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": ", tensor.status().message()));
    }
    parameters.*info.tensor = *std::move(tensor);
  }
  return parameters;
}

}  // namespace qvg::tinyworld
