#include "server/generator/fit_codebooks.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/generator/stored_floats.h"

namespace qvg {
namespace {

// The tensors of one layer of a dump.
struct Dumped {
  const StoredTensor* tensors[2] = {nullptr, nullptr};  // keys, values
};

// Of a model, more is a mistake.
constexpr int kMaxLayers = 1000;

absl::Status AddTensor(const StoredTensor& tensor,
                       std::map<int, Dumped>* layers) {
  const std::vector<absl::string_view> parts = absl::StrSplit(tensor.name, '.');
  int layer = -1;
  const bool named = parts.size() == 3 && parts[0] == "layers" &&
                     absl::SimpleAtoi(parts[1], &layer) && layer >= 0 &&
                     layer < kMaxLayers &&
                     (parts[2] == "keys" || parts[2] == "values");
  if (!named) {
    return absl::InvalidArgumentError(
        absl::StrCat("dump: tensor ", tensor.name,
                     "; must be layers.L.keys or layers.L.values, L from 0 to ",
                     kMaxLayers - 1));
  }
  if (tensor.shape.size() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("dump: ", tensor.name, " has ", tensor.shape.size(),
                     " dimensions; must be [vectors,heads,head_dim]"));
  }
  (*layers)[layer].tensors[parts[2] == "keys" ? 0 : 1] = &tensor;
  return absl::OkStatus();
}

class DumpFit {
 public:
  DumpFit(const OpqFitOptions& options, kernels::ParallelFor* parallel_for,
          absl::FunctionRef<void(absl::string_view)> progress)
      : options_(options), parallel_for_(*parallel_for), progress_(progress) {}

  absl::StatusOr<FittedCodebooks> Run(const std::map<int, Dumped>& layers);

 private:
  absl::Status CheckShapes(const std::map<int, Dumped>& layers);
  absl::StatusOr<OpqTensor> FitTensor(const StoredTensor& tensor);

  OpqFitOptions options_;
  kernels::ParallelFor& parallel_for_;
  absl::FunctionRef<void(absl::string_view)> progress_;
  KvLayout layout_;
};

// All tensors are of one model: the heads of the first.
absl::Status DumpFit::CheckShapes(const std::map<int, Dumped>& layers) {
  for (const auto& [layer, dumped] : layers) {
    for (const StoredTensor* tensor : dumped.tensors) {
      if (tensor == nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("dump: layer ", layer, " has no ",
                         dumped.tensors[0] == nullptr ? "keys" : "values"));
      }
      const int64_t heads = tensor->shape[1];
      const int64_t dim = tensor->shape[2];
      if (layout_.heads == 0) {
        layout_.heads = static_cast<int>(heads);
        layout_.head_dim = static_cast<int>(dim);
      }
      if (heads == layout_.heads && dim == layout_.head_dim) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "dump: ", tensor->name, " has ", heads, " heads of ", dim,
          "; other tensors have ", layout_.heads, " of ", layout_.head_dim));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<OpqTensor> DumpFit::FitTensor(const StoredTensor& tensor) {
  progress_(tensor.name);
  const absl::StatusOr<std::vector<float>> samples = ToFloats(tensor);
  if (!samples.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("dump: ", samples.status().message()));
  }
  absl::StatusOr<OpqTensor> fitted =
      FitOpq(*samples, tensor.shape[0], layout_.heads, layout_.head_dim,
             options_, parallel_for_);
  if (!fitted.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("dump: ", tensor.name, ": ", fitted.status().message()));
  }
  return fitted;
}

absl::StatusOr<FittedCodebooks> DumpFit::Run(
    const std::map<int, Dumped>& layers) {
  const absl::Status status = CheckShapes(layers);
  if (!status.ok()) return status;
  layout_.window_chunks.assign(layers.rbegin()->first + 1, 1);
  std::vector<OpqLayer> fitted;
  for (const auto& [layer, dumped] : layers) {
    layout_.window_chunks[layer] = 0;
    absl::StatusOr<OpqTensor> keys = FitTensor(*dumped.tensors[0]);
    if (!keys.ok()) return keys.status();
    absl::StatusOr<OpqTensor> values = FitTensor(*dumped.tensors[1]);
    if (!values.ok()) return values.status();
    fitted.push_back({*std::move(keys), *std::move(values)});
  }
  absl::StatusOr<std::unique_ptr<OpqTables>> tables =
      OpqTables::Create(layout_.heads, layout_.head_dim, std::move(fitted));
  if (!tables.ok()) return tables.status();
  return FittedCodebooks{*std::move(tables), std::move(layout_)};
}

}  // namespace

absl::StatusOr<FittedCodebooks> FitCodebooks(
    const Safetensors& dump, const OpqFitOptions& options,
    kernels::ParallelFor& parallel_for,
    absl::FunctionRef<void(absl::string_view)> progress) {
  std::map<int, Dumped> layers;
  for (const StoredTensor& tensor : dump.tensors) {
    const absl::Status status = AddTensor(tensor, &layers);
    if (!status.ok()) return status;
  }
  if (layers.empty()) {
    return absl::InvalidArgumentError("dump: holds no tensors");
  }
  return DumpFit(options, &parallel_for, progress).Run(layers);
}

}  // namespace qvg
