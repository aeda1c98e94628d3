#include "cache/codec/opq_tables.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kernels/numeric.h"

namespace qvg {
namespace {

// The largest deviation of a rotation's products from those of an orthogonal
// matrix: 100 times what rounding to BF16 does.
constexpr float kMaxDeviation = 0.1f;

absl::Status CheckTable(const std::vector<float>& table, int64_t size,
                        absl::string_view name) {
  if (static_cast<int64_t>(table.size()) != size) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": ", table.size(), " values; must be ", size));
  }
  for (const float value : table) {
    if (std::abs(value) <= kernels::kMaxBFloat16) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": NaN, infinity or beyond BF16"));
  }
  return absl::OkStatus();
}

bool IsOrthogonal(const float* matrix, int dim) {
  for (int a = 0; a < dim; ++a) {
    for (int b = a; b < dim; ++b) {
      float product = 0;
      for (int i = 0; i < dim; ++i) {
        product += matrix[a * dim + i] * matrix[b * dim + i];
      }
      const float expected = a == b ? 1 : 0;
      if (!(std::abs(product - expected) < kMaxDeviation)) return false;
    }
  }
  return true;
}

absl::Status CheckTensor(const OpqTensor& tensor, int heads, int dim,
                         absl::string_view name) {
  const int64_t rows = int64_t{heads} * dim;
  absl::Status status =
      CheckTable(tensor.rotation, rows * dim, absl::StrCat(name, ".rotation"));
  if (status.ok()) {
    status = CheckTable(tensor.mean, rows, absl::StrCat(name, ".mean"));
  }
  if (status.ok()) {
    status = CheckTable(tensor.codebook, rows * kernels::kProductEntries,
                        absl::StrCat(name, ".codebook"));
  }
  for (int head = 0; status.ok() && head < heads; ++head) {
    if (IsOrthogonal(tensor.rotation.data() + int64_t{head} * dim * dim, dim)) {
      continue;
    }
    status = absl::InvalidArgumentError(absl::StrCat(
        name, ".rotation: that of head ", head, " is not orthogonal"));
  }
  return status;
}

void Round(std::vector<float>* table) {
  for (float& value : *table) value = kernels::RoundToBFloat16(value);
}

void Round(OpqTensor* tensor) {
  Round(&tensor->rotation);
  Round(&tensor->mean);
  Round(&tensor->codebook);
}

}  // namespace

OpqTables::OpqTables(int heads, int head_dim, std::vector<OpqLayer> layers)
    : heads_(heads), head_dim_(head_dim), layers_(std::move(layers)) {
  for (OpqLayer& layer : layers_) {
    Round(&layer.keys);
    Round(&layer.values);
  }
}

absl::StatusOr<std::unique_ptr<OpqTables>> OpqTables::Create(
    int heads, int head_dim, std::vector<OpqLayer> layers) {
  if (head_dim != 64 && head_dim != 128 && head_dim != 256) {
    return absl::InvalidArgumentError(
        absl::StrCat("head_dim: ", head_dim, "; must be 64, 128 or 256"));
  }
  if (heads < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("heads: ", heads, "; must be at least 1"));
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    absl::Status status = CheckTensor(layers[i].keys, heads, head_dim,
                                      absl::StrCat("layers[", i, "].keys"));
    if (status.ok()) {
      status = CheckTensor(layers[i].values, heads, head_dim,
                           absl::StrCat("layers[", i, "].values"));
    }
    if (!status.ok()) return status;
  }
  return std::unique_ptr<OpqTables>(
      new OpqTables(heads, head_dim, std::move(layers)));
}

kernels::ProductTables OpqTables::View(int layer, int tensor) const {
  const OpqTensor& source =
      tensor == 0 ? layers_[layer].keys : layers_[layer].values;
  return {source.rotation.data(), source.mean.data(), source.codebook.data()};
}

}  // namespace qvg
