#include "server/generator/codebooks.h"

#include <deque>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "kernels/numeric.h"
#include "server/generator/stored_floats.h"

namespace qvg {
namespace {

constexpr absl::string_view kPrefix = "opq.";
constexpr int kWidth = OpqTables::kPartWidth;

// The numbers, in the model, of the layers that are packed.
std::vector<int> PackedLayers(const KvLayout& layout) {
  std::vector<int> layers;
  for (int i = 0; i < layout.layers(); ++i) {
    if (layout.window_chunks[i] == 0) layers.push_back(i);
  }
  return layers;
}

std::string TensorName(int layer, int tensor, absl::string_view table) {
  return absl::StrCat(kPrefix, layer, tensor == 0 ? ".k." : ".v.", table);
}

class Reader {
 public:
  Reader(const Safetensors& file, const KvLayout& layout)
      : file_(file), heads_(layout.heads), dim_(layout.head_dim) {}

  absl::StatusOr<OpqTensor> Read(int layer, int tensor) const {
    OpqTensor out;
    absl::Status status = ReadTable(TensorName(layer, tensor, "rotation"),
                                    {heads_, dim_, dim_}, &out.rotation);
    if (status.ok()) {
      status = ReadTable(TensorName(layer, tensor, "mean"), {heads_, dim_},
                         &out.mean);
    }
    if (status.ok()) {
      status =
          ReadTable(TensorName(layer, tensor, "codebook"),
                    {heads_, dim_ / kWidth, kernels::kProductEntries, kWidth},
                    &out.codebook);
    }
    if (!status.ok()) return status;
    return out;
  }

 private:
  absl::Status ReadTable(const std::string& name,
                         const std::vector<int64_t>& shape,
                         std::vector<float>* out) const {
    const StoredTensor* tensor = file_.Find(name);
    if (tensor == nullptr) {
      return absl::DataLossError(absl::StrCat("codebooks: no tensor ", name));
    }
    if (tensor->shape != shape) {
      return absl::DataLossError(
          absl::StrCat("codebooks: ", name, " has shape [",
                       absl::StrJoin(tensor->shape, ","),
                       "]; the model needs [", absl::StrJoin(shape, ","), "]"));
    }
    absl::StatusOr<std::vector<float>> values = ToFloats(*tensor);
    if (!values.ok()) {
      return absl::DataLossError(
          absl::StrCat("codebooks: ", values.status().message()));
    }
    *out = *std::move(values);
    return absl::OkStatus();
  }

  const Safetensors& file_;
  int64_t heads_;
  int64_t dim_;
};

class Writer {
 public:
  void Add(std::string name, std::vector<int64_t> shape, const float* values) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    std::vector<uint16_t>& data = data_.emplace_back();
    for (int64_t i = 0; i < count; ++i) {
      data.push_back(kernels::FloatToBFloat16(values[i]));
    }
    StoredTensor tensor;
    tensor.name = std::move(name);
    tensor.dtype = Dtype::kBf16;
    tensor.shape = std::move(shape);
    tensor.bytes = {reinterpret_cast<const uint8_t*>(data.data()),
                    data.size() * sizeof(uint16_t)};
    tensors_.push_back(std::move(tensor));
  }

  const std::vector<StoredTensor>& tensors() const { return tensors_; }

 private:
  std::deque<std::vector<uint16_t>> data_;
  std::vector<StoredTensor> tensors_;
};

}  // namespace

bool HasCodebooks(const Safetensors& file) {
  for (const StoredTensor& tensor : file.tensors) {
    if (absl::string_view(tensor.name).substr(0, kPrefix.size()) == kPrefix) {
      return true;
    }
  }
  return false;
}

absl::StatusOr<std::unique_ptr<OpqTables>> ReadCodebooks(
    const Safetensors& file, const KvLayout& layout) {
  const Reader reader(file, layout);
  std::vector<OpqLayer> layers;
  for (const int layer : PackedLayers(layout)) {
    absl::StatusOr<OpqTensor> keys = reader.Read(layer, 0);
    if (!keys.ok()) return keys.status();
    absl::StatusOr<OpqTensor> values = reader.Read(layer, 1);
    if (!values.ok()) return values.status();
    layers.push_back({*std::move(keys), *std::move(values)});
  }
  absl::StatusOr<std::unique_ptr<OpqTables>> tables =
      OpqTables::Create(layout.heads, layout.head_dim, std::move(layers));
  if (!tables.ok()) {
    return absl::DataLossError(
        absl::StrCat("codebooks: ", tables.status().message()));
  }
  return tables;
}

absl::Status WriteCodebooks(
    const std::string& path, const OpqTables& tables, const KvLayout& layout,
    const std::map<std::string, std::string>& metadata) {
  const std::vector<int> layers = PackedLayers(layout);
  if (static_cast<int>(layers.size()) != tables.layers()) {
    return absl::InvalidArgumentError(absl::StrCat("codebooks: of ",
                                                   tables.layers(),
                                                   " layers; the model "
                                                   "packs ",
                                                   layers.size()));
  }
  const int64_t heads = tables.heads();
  const int64_t dim = tables.head_dim();
  Writer writer;
  for (int i = 0; i < 2 * tables.layers(); ++i) {
    const int layer = layers[i / 2];
    const kernels::ProductTables view = tables.View(i / 2, i % 2);
    writer.Add(TensorName(layer, i % 2, "rotation"), {heads, dim, dim},
               view.rotation);
    writer.Add(TensorName(layer, i % 2, "mean"), {heads, dim}, view.mean);
    writer.Add(TensorName(layer, i % 2, "codebook"),
               {heads, dim / kWidth, kernels::kProductEntries, kWidth},
               view.codebook);
  }
  return WriteSafetensors(path, writer.tensors(), metadata);
}

}  // namespace qvg
