#include "cache/segments.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/kernel_status.h"
#include "kernels/dispatch.h"

namespace qvg {

std::string TensorName(int64_t layer, int64_t tensor) {
  return absl::StrCat("layers[", layer, "].", tensor == 0 ? "keys" : "values");
}

absl::Status CheckFinite(absl::Span<const kernels::KvSegment> layers,
                         const kernels::Executor& executor,
                         Workspace& workspace) {
  std::vector<kernels::PackedTensor> tensors;
  for (const kernels::KvSegment& layer : layers) {
    tensors.push_back(layer.keys);
    tensors.push_back(layer.values);
  }
  if (tensors.empty()) return absl::OkStatus();
  const int count = static_cast<int>(tensors.size());
  const auto memory =
      workspace.Get(kernels::FiniteWorkspaceBytes(count, executor));
  if (!memory.ok()) return memory.status();
  std::vector<uint32_t> finite(tensors.size());
  const absl::Status status = ToStatus(kernels::AllFinite(
      tensors.data(), count, finite.data(), memory->data(), executor));
  if (!status.ok()) return status;
  const auto bad = std::find(finite.begin(), finite.end(), 0u);
  if (bad == finite.end()) return absl::OkStatus();
  const int64_t i = bad - finite.begin();
  return absl::InvalidArgumentError(
      absl::StrCat(TensorName(i / 2, i % 2), ": NaN or infinity"));
}

}  // namespace qvg
