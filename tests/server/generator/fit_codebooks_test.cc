#include "server/generator/fit_codebooks.h"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/numeric.h"
#include "kernels/parallel_for.h"
#include "tests/kernels/random_tensors.h"

namespace qvg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A dump in memory.
class Dump {
 public:
  Dump() {
    for (const char* name : {"layers.1.keys", "layers.1.values",
                             "layers.3.keys", "layers.3.values"}) {
      Add(name, {300, 2, 64});
    }
  }

  void Add(const std::string& name, std::vector<int64_t> shape) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    std::vector<float>& values =
        values_.emplace_back(kernels::RandomNormal(count, 1, values_.size()));
    contents_.tensors.push_back(
        {name, Dtype::kF32, std::move(shape),
         absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(values.data()),
                             values.size() * sizeof(float))});
  }

  StoredTensor& Find(const std::string& name) {
    for (StoredTensor& tensor : contents_.tensors) {
      if (tensor.name == name) return tensor;
    }
    ADD_FAILURE() << name;
    return contents_.tensors.front();
  }

  void Remove(const std::string& name) {
    std::vector<StoredTensor>& tensors = contents_.tensors;
    tensors.erase(tensors.begin() + (&Find(name) - tensors.data()));
  }

  std::vector<float>& values(int i) { return values_[i]; }
  Safetensors& contents() { return contents_; }

 private:
  std::deque<std::vector<float>> values_;
  Safetensors contents_;
};

absl::StatusOr<FittedCodebooks> Fit(const Safetensors& dump,
                                    std::vector<std::string>* told = nullptr) {
  kernels::SerialFor serial;
  OpqFitOptions options;
  options.rounds = 1;
  return FitCodebooks(dump, options, serial, [&](absl::string_view tensor) {
    if (told != nullptr) told->emplace_back(tensor);
  });
}

std::string Error(const Safetensors& dump) {
  const absl::StatusOr<FittedCodebooks> fitted = Fit(dump);
  EXPECT_EQ(fitted.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(fitted.status().message());
}

TEST(FitCodebooks, FitsEveryTensorOfTheDump) {
  Dump dump;
  std::vector<std::string> told;
  const absl::StatusOr<FittedCodebooks> fitted = Fit(dump.contents(), &told);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_THAT(told, ElementsAre("layers.1.keys", "layers.1.values",
                                "layers.3.keys", "layers.3.values"));
  EXPECT_EQ(fitted->layout.heads, 2);
  EXPECT_EQ(fitted->layout.head_dim, 64);
  EXPECT_THAT(fitted->layout.window_chunks, ElementsAre(1, 0, 1, 0));
  ASSERT_EQ(fitted->tables->layers(), 2);
  // Each from its own samples.
  for (const int i : {0, 1, 2, 3}) {
    double sum = 0;
    for (int n = 0; n < 300; ++n) sum += dump.values(i)[n * 128 + 70];
    EXPECT_NEAR(fitted->tables->View(i / 2, i % 2).mean[70], sum / 300, 1e-3);
  }
}

TEST(FitCodebooks, ReadsBFloat16) {
  Dump dump;
  std::vector<uint16_t> halves;
  for (float& value : dump.values(0)) {
    halves.push_back(kernels::FloatToBFloat16(value));
    value = kernels::RoundToBFloat16(value);
  }
  const auto rounded = Fit(dump.contents());
  StoredTensor& tensor = dump.Find("layers.1.keys");
  tensor.dtype = Dtype::kBf16;
  tensor.bytes = absl::MakeConstSpan(
      reinterpret_cast<const uint8_t*>(halves.data()), halves.size() * 2);
  const auto read = Fit(dump.contents());
  ASSERT_TRUE(rounded.ok() && read.ok());
  const float* a = rounded->tables->View(0, 0).codebook;
  const float* b = read->tables->View(0, 0).codebook;
  EXPECT_TRUE(std::equal(a, a + 2 * 64 * 256, b));
}

TEST(FitCodebooks, RefusesWhatDoesNotFit) {
  EXPECT_THAT(Error({}), HasSubstr("no tensors"));
  Dump foreign;
  foreign.Add("blocks.0.weight", {4, 4, 4});
  EXPECT_THAT(Error(foreign.contents()), HasSubstr("blocks.0.weight"));
  for (const char* name : {"layers.-1.keys", "layers.1.queries",
                           "layers.1000.keys", "layers..keys"}) {
    Dump misnamed;
    misnamed.Add(name, {300, 2, 64});
    EXPECT_THAT(Error(misnamed.contents()), HasSubstr(name));
  }
  Dump flat;
  flat.Add("layers.5.keys", {300, 128});
  EXPECT_THAT(Error(flat.contents()),
              HasSubstr("layers.5.keys has 2 dimensions"));
  Dump half;
  half.Remove("layers.3.values");
  EXPECT_THAT(Error(half.contents()), HasSubstr("layer 3 has no values"));
  Dump wide;
  wide.Remove("layers.3.values");
  wide.Add("layers.3.values", {300, 1, 128});
  EXPECT_THAT(Error(wide.contents()),
              HasSubstr("layers.3.values has 1 heads of 128"));
  Dump few;
  few.Remove("layers.3.keys");
  few.Add("layers.3.keys", {255, 2, 64});
  EXPECT_THAT(Error(few.contents()), HasSubstr("layers.3.keys: samples: 255"));
  Dump integers;
  integers.Find("layers.1.values").dtype = Dtype::kI32;
  EXPECT_THAT(Error(integers.contents()), HasSubstr("layers.1.values is I32"));
}

}  // namespace
}  // namespace qvg
