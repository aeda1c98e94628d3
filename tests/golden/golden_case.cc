#include "tests/golden/golden_case.h"

#include <fstream>
#include <type_traits>
#include <utility>

#include "kernels/numeric.h"

namespace qvg::golden {
namespace {

std::string Path(const std::string& root, const std::string& name,
                 const std::string& file) {
  return root + "/" + name + "/" + file;
}

nlohmann::json ReadJson(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw GoldenError(path + ": cannot be opened");
  try {
    return nlohmann::json::parse(file);
  } catch (const nlohmann::json::exception& e) {
    throw GoldenError(path + ": " + e.what());
  }
}

SafetensorsFile OpenTensors(const std::string& path) {
  absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Open(path);
  if (!file.ok()) throw GoldenError(std::string(file.status().message()));
  return *std::move(file);
}

template <typename T>
constexpr Dtype DtypeOf() {
  if constexpr (std::is_same_v<T, uint16_t>) return Dtype::kBf16;
  if constexpr (std::is_same_v<T, uint8_t>) return Dtype::kU8;
  if constexpr (std::is_same_v<T, int8_t>) return Dtype::kI8;
  if constexpr (std::is_same_v<T, int32_t>) return Dtype::kI32;
  if constexpr (std::is_same_v<T, float>) return Dtype::kF32;
  return Dtype::kF64;
}

struct Range {
  int64_t begin;
  int64_t end;
};

// A half-open slice [a, b) of `size` elements; all of them when it is absent.
Range SliceOf(const nlohmann::json& json, const char* key, int64_t size) {
  if (!json.contains(key)) return {0, size};
  const Range range = {json.at(key).at(0), json.at(key).at(1)};
  if (range.begin < 0 || range.begin > range.end || range.end > size) {
    throw GoldenError(std::string(key) + ": not a slice of the input");
  }
  return range;
}

}  // namespace

float PointSet::At(int head, int64_t token, int channel) const {
  return kernels::BFloat16ToFloat(
      values[(head * tokens + token) * dim + channel]);
}

GoldenCase::GoldenCase(const std::string& root, const std::string& name)
    : root_(root),
      name_(name),
      json_(ReadJson(Path(root, name, "case.json"))),
      file_(OpenTensors(Path(root, name, "data.safetensors"))) {}

bool GoldenCase::Has(const std::string& tensor) const {
  return file_.contents().Find(tensor) != nullptr;
}

void GoldenCase::Fail(const std::string& what) const {
  throw GoldenError(name_ + ": " + what);
}

const StoredTensor& GoldenCase::Find(const std::string& tensor) const {
  const StoredTensor* found = file_.contents().Find(tensor);
  if (found == nullptr) Fail("no tensor '" + tensor + "'");
  return *found;
}

template <typename T>
Array<T> GoldenCase::Get(const std::string& tensor) const {
  const StoredTensor& stored = Find(tensor);
  if (stored.dtype != DtypeOf<T>()) {
    Fail("tensor '" + tensor + "' is " + ToString(stored.dtype));
  }
  Array<T> out;
  out.shape = stored.shape;
  out.values.resize(stored.bytes.size() / sizeof(T));
  if (!out.values.empty()) {
    std::memcpy(out.values.data(), stored.bytes.data(), stored.bytes.size());
  }
  return out;
}

std::vector<uint16_t> GoldenCase::Halves(const std::string& tensor) const {
  const StoredTensor& stored = Find(tensor);
  if (stored.dtype != Dtype::kF16) {
    Fail("tensor '" + tensor + "' is " + ToString(stored.dtype));
  }
  std::vector<uint16_t> out(stored.bytes.size() / sizeof(uint16_t));
  std::memcpy(out.data(), stored.bytes.data(), stored.bytes.size());
  return out;
}

template Array<uint16_t> GoldenCase::Get(const std::string&) const;
template Array<uint8_t> GoldenCase::Get(const std::string&) const;
template Array<int8_t> GoldenCase::Get(const std::string&) const;
template Array<int32_t> GoldenCase::Get(const std::string&) const;
template Array<float> GoldenCase::Get(const std::string&) const;
template Array<double> GoldenCase::Get(const std::string&) const;

PointSet GoldenCase::Points(const std::string& tensor) const {
  Array<uint16_t> array = Get<uint16_t>(tensor);
  PointSet points;
  points.heads = static_cast<int>(array.dim(0));
  points.tokens = array.dim(1);
  points.dim = static_cast<int>(array.dim(2));
  points.values = std::move(array.values);
  return points;
}

PointSet GoldenCase::Input() const {
  const PointSet all = Other(json_.at("input")).Points("x");
  const Range heads = SliceOf(json_, "heads", all.heads);
  const Range tokens = SliceOf(json_, "tokens", all.tokens);
  PointSet slice;
  slice.heads = static_cast<int>(heads.end - heads.begin);
  slice.tokens = tokens.end - tokens.begin;
  slice.dim = all.dim;
  for (int64_t head = heads.begin; head < heads.end; ++head) {
    const auto first = all.values.begin() + head * all.tokens * all.dim;
    slice.values.insert(slice.values.end(), first + tokens.begin * all.dim,
                        first + tokens.end * all.dim);
  }
  return slice;
}

}  // namespace qvg::golden
