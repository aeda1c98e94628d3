#include "cache/codec/opq_tables.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/kernel_status.h"
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

// Floats of the tables of one tensor.
int64_t TensorFloats(int heads, int dim) {
  return int64_t{heads} * dim * (dim + 1 + kernels::kProductEntries);
}

void AppendRounded(const std::vector<float>& table, std::vector<float>* all) {
  for (const float value : table) {
    all->push_back(kernels::RoundToBFloat16(value));
  }
}

// In the order of Views.
void AppendRounded(const OpqTensor& tensor, std::vector<float>* all) {
  AppendRounded(tensor.rotation, all);
  AppendRounded(tensor.mean, all);
  AppendRounded(tensor.codebook, all);
}

// Of `count` tensors whose tables lie one after the other at `tables`.
std::vector<kernels::ProductTables> Views(const float* tables, int count,
                                          int heads, int dim) {
  std::vector<kernels::ProductTables> views;
  for (int i = 0; i < count; ++i) {
    const float* rotation = tables + i * TensorFloats(heads, dim);
    const float* mean = rotation + int64_t{heads} * dim * dim;
    views.push_back({rotation, mean, mean + int64_t{heads} * dim});
  }
  return views;
}

}  // namespace

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
  auto tables = std::unique_ptr<OpqTables>(new OpqTables(heads, head_dim));
  for (size_t i = 0; i < layers.size(); ++i) {
    absl::Status status = CheckTensor(layers[i].keys, heads, head_dim,
                                      absl::StrCat("layers[", i, "].keys"));
    if (status.ok()) {
      status = CheckTensor(layers[i].values, heads, head_dim,
                           absl::StrCat("layers[", i, "].values"));
    }
    if (!status.ok()) return status;
    AppendRounded(layers[i].keys, &tables->on_host_);
    AppendRounded(layers[i].values, &tables->on_host_);
  }
  tables->views_ = Views(tables->on_host_.data(),
                         2 * static_cast<int>(layers.size()), heads, head_dim);
  return tables;
}

absl::StatusOr<std::unique_ptr<OpqTables>> OpqTables::OnDevice(
    kernels::CudaStream stream) const {
  auto tables = std::unique_ptr<OpqTables>(new OpqTables(heads_, head_dim_));
  tables->memory_ = kernels::MemoryKind::kDevice;
  const size_t bytes = on_host_.size() * sizeof(float);
  kernels::Error error = tables->on_device_.Allocate(bytes);
  if (error.ok()) {
    error = kernels::CopyToDevice(on_host_.data(), bytes,
                                  tables->on_device_.data(), stream);
  }
  if (error.ok()) error = kernels::Synchronize(stream);
  if (!error.ok()) return ToStatus(error);
  tables->views_ = Views(static_cast<const float*>(tables->on_device_.data()),
                         2 * layers(), heads_, head_dim_);
  return tables;
}

kernels::ProductTables OpqTables::View(int layer, int tensor) const {
  return views_[2 * layer + tensor];
}

}  // namespace qvg
