#include "server/generator/registry.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace qvg {
namespace {

bool IsFile(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

}  // namespace

void ModelRegistry::Add(absl::string_view name, ModelFactory factory) {
  factories_[std::string(name)] = std::move(factory);
}

absl::StatusOr<std::unique_ptr<VideoModel>> ModelRegistry::Make(
    absl::string_view name, const ModelOptions& options) const {
  if (factories_.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "model: \"", name, "\" is not in this build, which has no models ",
        "(built without LibTorch)"));
  }
  const auto found = factories_.find(std::string(name));
  if (found == factories_.end()) {
    return absl::NotFoundError(absl::StrCat("model: \"", name,
                                            "\" is unknown, this build has ",
                                            absl::StrJoin(names(), ", ")));
  }
  return found->second(options);
}

std::vector<std::string> ModelRegistry::names() const {
  std::vector<std::string> names;
  for (const auto& [name, factory] : factories_) names.push_back(name);
  return names;
}

absl::StatusOr<std::string> FindWeights(const ModelOptions& options,
                                        absl::string_view file) {
  if (!options.weights.empty()) {
    if (IsFile(options.weights)) return options.weights;
    return absl::NotFoundError(
        absl::StrCat("weights: no file ", options.weights));
  }
  for (const std::string& dir : options.model_dirs) {
    const std::string path = absl::StrCat(dir, "/", file);
    if (IsFile(path)) return path;
  }
  return absl::NotFoundError(absl::StrCat(
      "weights: no ", file, " in ", absl::StrJoin(options.model_dirs, ", ")));
}

}  // namespace qvg
