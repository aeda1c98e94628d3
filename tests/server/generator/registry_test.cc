#include "server/generator/registry.h"

#include <cstdio>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<std::unique_ptr<VideoModel>> Refuse(
    const ModelOptions& options) {
  return absl::UnimplementedError(options.device);
}

TEST(ModelRegistry, MakesByNameWithTheOptions) {
  ModelRegistry registry;
  registry.Add("b", Refuse);
  registry.Add("a", Refuse);
  EXPECT_THAT(registry.names(), ElementsAre("a", "b"));
  ModelOptions options;
  options.device = "cuda:3";
  EXPECT_EQ(registry.Make("a", options).status(),
            absl::UnimplementedError("cuda:3"));
}

TEST(ModelRegistry, NamesWhatItHasForAnUnknownName) {
  ModelRegistry registry;
  registry.Add("a", Refuse);
  registry.Add("b", Refuse);
  const absl::Status status = registry.Make("c", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("\"c\""), HasSubstr("a, b")));
}

TEST(ModelRegistry, SaysThatABuildHasNoModels) {
  const absl::Status status = ModelRegistry().Make("c", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("LibTorch"));
}

TEST(FindWeights, TakesTheFirstDirectoryThatHasTheFile) {
  const std::string dir = ::testing::TempDir();
  const std::string path = dir + "/qvg_registry_test.safetensors";
  std::ofstream(path) << "x";
  ModelOptions options;
  options.model_dirs = {dir + "/absent", dir};
  const auto found = FindWeights(options, "qvg_registry_test.safetensors");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, dir + "/qvg_registry_test.safetensors");
  std::remove(path.c_str());
  const absl::Status gone =
      FindWeights(options, "qvg_registry_test.safetensors").status();
  EXPECT_EQ(gone.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(gone.message(), HasSubstr(dir + "/absent, " + dir));
}

TEST(FindWeights, TakesAGivenFileOrNone) {
  ModelOptions options;
  options.weights = ::testing::TempDir() + "/absent.safetensors";
  options.model_dirs = {::testing::TempDir()};
  EXPECT_THAT(FindWeights(options, "any").status().message(),
              HasSubstr("absent.safetensors"));
}

}  // namespace
}  // namespace qvg
