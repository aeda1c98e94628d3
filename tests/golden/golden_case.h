#ifndef TESTS_GOLDEN_GOLDEN_CASE_H_
#define TESTS_GOLDEN_GOLDEN_CASE_H_

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/rows.h"
#include "server/generator/checkpoint/safetensors.h"

namespace qvg::golden {

// A case that cannot be read: counts as a failed check.
class GoldenError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A stored tensor with its shape.
template <typename T>
struct Array {
  std::vector<T> values;
  std::vector<int64_t> shape;

  int64_t dim(size_t i) const {
    if (i >= shape.size()) throw GoldenError("tensor of too few dimensions");
    return shape[i];
  }
};

// Token vectors as BF16 [H,T,D], in memory of its own.
struct PointSet {
  std::vector<uint16_t> values;
  int heads = 0;
  int64_t tokens = 0;
  int dim = 0;

  // A view for kernels, which may change the values.
  kernels::Points View() { return {values.data(), heads, tokens, dim}; }
  float At(int head, int64_t token, int channel) const;
};

// One folder GROUP/NAME of a golden set: case.json and data.safetensors.
class GoldenCase {
 public:
  // Throws GoldenError, naming what is wrong.
  GoldenCase(const std::string& root, const std::string& name);

  const std::string& name() const { return name_; }
  const nlohmann::json& json() const { return json_; }
  // Another case of the same set.
  GoldenCase Other(const std::string& name) const { return {root_, name}; }

  bool Has(const std::string& tensor) const;
  // Throws GoldenError when it is missing, or of another type than T.
  template <typename T>
  Array<T> Get(const std::string& tensor) const;

  // FP16 numbers, as patterns.
  std::vector<uint16_t> Halves(const std::string& tensor) const;

  // The BF16 tensor [H,T,D] `tensor`.
  PointSet Points(const std::string& tensor) const;
  // The slice of another case's `x` that `input`, `heads` and `tokens` name.
  PointSet Input() const;

 private:
  const StoredTensor& Find(const std::string& tensor) const;
  [[noreturn]] void Fail(const std::string& what) const;

  std::string root_;
  std::string name_;
  nlohmann::json json_;
  SafetensorsFile file_;
};

}  // namespace qvg::golden

#endif  // TESTS_GOLDEN_GOLDEN_CASE_H_
