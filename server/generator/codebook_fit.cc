// Fits the codebooks of the codec opq to keys and values of a model.

#include <cstdio>
#include <string>
#include <thread>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "kernels/thread_pool.h"
#include "server/generator/codebooks.h"
#include "server/generator/fit_codebooks.h"

ABSL_FLAG(std::string, dump, "",
          "Safetensors file with keys and values: layers.L.keys and "
          "layers.L.values, [vectors,heads,head_dim], of every layer L that "
          "is packed");
ABSL_FLAG(std::string, out, "", "Where the codebooks are written");
ABSL_FLAG(int, rounds, qvg::OpqFitOptions().rounds, "Rounds of k-means");
ABSL_FLAG(uint64_t, seed, qvg::OpqFitOptions().seed,
          "Of the entries that k-means begins with");
ABSL_FLAG(int, threads, 0, "Threads; 0: one per processor");

namespace {

// Abseil knows flags with underscores only; hyphens mean the same.
void NormalizeFlags(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (argv[i][0] != '-' || argv[i][1] != '-') continue;
    for (char* c = argv[i] + 2; *c != '\0' && *c != '='; ++c) {
      if (*c == '-') *c = '_';
    }
  }
}

int Threads() {
  const int threads = absl::GetFlag(FLAGS_threads);
  return threads > 0 ? threads
                     : static_cast<int>(std::thread::hardware_concurrency());
}

absl::Status Run() {
  const absl::StatusOr<qvg::SafetensorsFile> dump =
      qvg::SafetensorsFile::Open(absl::GetFlag(FLAGS_dump));
  if (!dump.ok()) return dump.status();
  qvg::OpqFitOptions options;
  options.rounds = absl::GetFlag(FLAGS_rounds);
  options.seed = absl::GetFlag(FLAGS_seed);
  qvg::kernels::ThreadPool pool(Threads());
  const absl::StatusOr<qvg::FittedCodebooks> fitted = qvg::FitCodebooks(
      dump->contents(), options, pool, [](absl::string_view tensor) {
        std::fprintf(stderr, "fit %.*s\n", static_cast<int>(tensor.size()),
                     tensor.data());
      });
  if (!fitted.ok()) return fitted.status();
  // What the dump says of itself, and how it was used.
  std::map<std::string, std::string> metadata = dump->contents().metadata;
  metadata["codebook_rounds"] = std::to_string(options.rounds);
  metadata["codebook_seed"] = std::to_string(options.seed);
  return qvg::WriteCodebooks(absl::GetFlag(FLAGS_out), *fitted->tables,
                             fitted->layout, metadata);
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Fits the codebooks of the codec opq to keys and values of a model: "
      "codebook_fit --dump=FILE --out=FILE");
  NormalizeFlags(argc, argv);
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = Run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "codebook_fit: %s\n",
               std::string(status.message()).c_str());
  return 1;
}
