#include "server/generator/tinyworld/weights_file.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace qvg::tinyworld {
namespace {

std::string Path(const std::string& name) {
  return (std::filesystem::path(testing::TempDir()) / name).string();
}

TEST(WeightsFileTest, KeepsBf16Values) {
  const Parameters saved = InitialParameters(2);
  const std::string path = Path("weights_file_test.safetensors");
  ASSERT_TRUE(SaveWeights(saved, path).ok());
  const auto loaded = LoadWeights(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  for (const ParameterInfo& info : ParameterTable()) {
    const at::Tensor rounded =
        (saved.*info.tensor).to(at::kBFloat16).to(at::kFloat);
    EXPECT_TRUE((*loaded.*info.tensor).equal(rounded)) << info.name;
  }
  EXPECT_LE(std::filesystem::file_size(path), 18'600'000);
  std::filesystem::remove(path);
}

TEST(WeightsFileTest, NamesTheTensorOfAnotherShape) {
  Parameters saved = InitialParameters(2);
  saved.head_bias = at::zeros({3});
  const std::string path = Path("weights_file_shape_test.safetensors");
  EXPECT_FALSE(SaveWeights(saved, path).ok());
}

TEST(WeightsFileTest, AMissingFileIsNamed) {
  const auto loaded = LoadWeights(Path("no_such_weights.safetensors"));
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.status().message().find("no_such_weights"),
            std::string::npos);
}

}  // namespace
}  // namespace qvg::tinyworld
