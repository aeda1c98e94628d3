#ifndef SERVER_GENERATOR_REGISTRY_H_
#define SERVER_GENERATOR_REGISTRY_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/generator/video_model.h"

namespace qvg {

// What a model is made with.
struct ModelOptions {
  std::string device = "cpu";  // "cpu", "cuda" or "cuda:N"
  int threads = 0;             // of a CPU model; 0: one per core
  // The weights; empty: the file that the model ships with, looked for in
  // `model_dirs` in order.
  std::string weights;
  std::vector<std::string> model_dirs;
};

// UNIMPLEMENTED names a device that the model cannot run on; NOT_FOUND and
// INVALID_ARGUMENT name the file at fault. Each message is one line.
using ModelFactory = std::function<absl::StatusOr<std::unique_ptr<VideoModel>>(
    const ModelOptions&)>;

// Models by name. Thread-compatible.
class ModelRegistry {
 public:
  void Add(absl::string_view name, ModelFactory factory);

  // NOT_FOUND for an unknown name, listing the known ones; else what the
  // factory answers.
  absl::StatusOr<std::unique_ptr<VideoModel>> Make(
      absl::string_view name, const ModelOptions& options) const;

  std::vector<std::string> names() const;

 private:
  absl::btree_map<std::string, ModelFactory> factories_;
};

// The models of this build; none without LibTorch.
ModelRegistry BuiltInModels();

// The path of `file` in the first of options.model_dirs that has it, or
// options.weights if set. NOT_FOUND lists where it was looked for.
absl::StatusOr<std::string> FindWeights(const ModelOptions& options,
                                        absl::string_view file);

}  // namespace qvg

#endif  // SERVER_GENERATOR_REGISTRY_H_
