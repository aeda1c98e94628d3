#include <ATen/ATen.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/generator/tinyworld/cached_player.h"
#include "server/generator/tinyworld/command_line.h"
#include "server/generator/tinyworld/gpu_stream.h"
#include "server/generator/tinyworld/quality_test.h"
#include "server/generator/tinyworld/sampler.h"
#include "server/generator/tinyworld/shape.h"
#include "server/generator/tinyworld/tinyworld_model.h"
#include "server/generator/tinyworld/weights_file.h"
#include "server/generator/tinyworld/world_player.h"

ABSL_FLAG(std::string, weights, "", "a safetensors file of tinyworld_train");
ABSL_FLAG(std::string, test, "retT", "spin, spinoff, retT, retG or walk");
ABSL_FLAG(int, steps, 3, "denoise steps per chunk: 2, 3, 4 or 6");
ABSL_FLAG(std::string, device, "cpu", "cpu, cuda or cuda:N");
ABSL_FLAG(uint64_t, seed, 1000, "of the first episode; the others follow");
ABSL_FLAG(int, episodes, 12, "how many");
ABSL_FLAG(std::string, codec, "",
          "CODEC[:FIELD=VALUE,...]: play with a session's cache; empty: all "
          "episodes at once with a dense history");
ABSL_FLAG(std::string, dump_kv, "",
          "write keys and values of the global layers to this file "
          "(--codec=bf16 --device=cpu)");
ABSL_FLAG(int, last_chunks, 0,
          "dense history only: hide what is older than this; 0: nothing");
ABSL_FLAG(std::string, sheet, "",
          "write a PPM picture of the first episode: simulator above model");
ABSL_FLAG(bool, json, false, "print one JSON object");

namespace qvg::tinyworld {
namespace {

constexpr int kSheetFrames = 10;

Batch MakeEpisodes(QualityTest test, const at::Device& device) {
  std::vector<Episode> episodes;
  for (int i = 0; i < absl::GetFlag(FLAGS_episodes); ++i) {
    episodes.push_back(QualityEpisode(test, absl::GetFlag(FLAGS_seed) + i));
  }
  const Batch host = ToBatch(episodes);
  return {host.cells.to(device), host.poses.to(device),
          host.actions.to(device)};
}

// Evenly spaced frames of (F,128,128,3), side by side: (128,128*n,3) bytes.
at::Tensor Strip(const at::Tensor& frames) {
  const at::Tensor at =
      at::linspace(0, static_cast<double>(frames.size(0) - 1), kSheetFrames)
          .round()
          .to(at::kLong);
  return ((frames.index_select(0, at.to(frames.device())).clamp(-1, 1) + 1) *
          127.5)
      .round()
      .to(at::kByte)
      .to(at::kCPU)
      .permute({1, 0, 2, 3})
      .reshape({kFrameSize, -1, 3});
}

absl::Status WriteSheet(const PlayedEpisodes& played, const std::string& path) {
  const at::Tensor sheet =
      at::cat({Strip(ToFrames(played.truth.narrow(0, 0, 1))[0]),
               Strip(ToFrames(played.tokens.narrow(0, 0, 1))[0])})
          .contiguous();
  std::ofstream file(path, std::ios::binary);
  file << "P6\n" << sheet.size(1) << ' ' << sheet.size(0) << "\n255\n";
  file.write(static_cast<const char*>(sheet.const_data_ptr()), sheet.numel());
  file.close();
  if (!file) return absl::UnavailableError(absl::StrCat(path, ": not written"));
  return absl::OkStatus();
}

// What a run printed as one line is made of.
struct Figures {
  QualityResult quality;
  double fps = 0;
  double ratio = 1;
  double session_ratio = 1;
};

void Print(const Figures& f) {
  if (!absl::GetFlag(FLAGS_json)) {
    std::printf(
        "psnr %.2f dB, ratio %.2f, session ratio %.2f, %.1f fps, edge %.3f, "
        "saturation %.3f\n",
        f.quality.psnr_db, f.ratio, f.session_ratio, f.fps, f.quality.edge,
        f.quality.saturation);
    return;
  }
  std::printf(
      "{\"psnr_db\":%.3f,\"psnr_windows_db\":[%s],\"ratio\":%.3f,"
      "\"session_ratio\":%.3f,\"fps\":%.2f,\"edge\":%.4f,"
      "\"saturation\":%.4f}\n",
      f.quality.psnr_db,
      absl::StrJoin(f.quality.window_psnr_db, ",",
                    [](std::string* out, double db) {
                      absl::StrAppendFormat(out, "%.2f", db);
                    })
          .c_str(),
      f.ratio, f.session_ratio, f.fps, f.quality.edge, f.quality.saturation);
}

// Plays the episodes and measures them.
PlayedEpisodes Play(QualityTest test, const Batch& episodes,
                    WorldPlayer& player, Figures* figures) {
  const auto start = std::chrono::steady_clock::now();
  PlayedEpisodes played = PlayEpisodes(test, episodes, player);
  figures->quality = Measure(test, played);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  figures->fps = static_cast<double>(episodes.actions.numel()) / seconds;
  return played;
}

// Beside the weights, in the memory of `gpu` if there is one; may be null.
absl::StatusOr<std::unique_ptr<OpqTables>> CodebooksOn(
    const std::optional<GpuStream>& gpu) {
  auto tables = LoadCodebooks(absl::GetFlag(FLAGS_weights));
  if (!gpu || !tables.ok() || *tables == nullptr) return tables;
  return (*tables)->OnDevice(gpu->raw);
}

absl::StatusOr<PlayedEpisodes> PlayCached(const Parameters& weights,
                                          QualityTest test,
                                          const Batch& episodes,
                                          const at::Device& device,
                                          Figures* figures) {
  const auto spec = ParseCacheSpec(absl::GetFlag(FLAGS_codec));
  if (!spec.ok()) return spec.status();
  std::optional<GpuStream> gpu;
  if (device.is_cuda()) {
    auto stream = MakeGpuStream(device);
    if (!stream.ok()) return stream.status();
    gpu = *std::move(stream);
  }
  const auto tables = CodebooksOn(gpu);
  if (!tables.ok()) return tables.status();
  const auto player = CachedPlayer::Create(
      weights, episodes, absl::GetFlag(FLAGS_steps), absl::GetFlag(FLAGS_seed),
      *spec, tables->get(), gpu);
  if (!player.ok()) return player.status();
  PlayedEpisodes played = Play(test, episodes, **player, figures);
  figures->ratio = (*player)->packed_span_ratio();
  figures->session_ratio = (*player)->session_ratio();
  const std::string dump = absl::GetFlag(FLAGS_dump_kv);
  if (!dump.empty()) {
    const absl::Status status = (*player)->DumpKeysAndValues(dump);
    if (!status.ok()) return status;
  }
  return played;
}

PlayedEpisodes PlayDense(const Parameters& weights, QualityTest test,
                         const Batch& episodes, const at::Device& device,
                         Figures* figures) {
  std::vector<at::Tensor> on_device;
  for (const at::Tensor& t : AsList(weights)) {
    on_device.push_back(t.to(device));
  }
  const auto player =
      DensePlayer(FromList(on_device), episodes, absl::GetFlag(FLAGS_steps),
                  absl::GetFlag(FLAGS_seed), absl::GetFlag(FLAGS_last_chunks));
  return Play(test, episodes, *player, figures);
}

absl::Status Evaluate() {
  if (SamplingLevels(absl::GetFlag(FLAGS_steps)).empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "steps: ", absl::GetFlag(FLAGS_steps), " is none of 2, 3, 4, 6"));
  }
  const auto test = ParseQualityTest(absl::GetFlag(FLAGS_test));
  if (!test.ok()) return test.status();
  const auto device = ParseDevice(absl::GetFlag(FLAGS_device));
  if (!device.ok()) return device.status();
  const bool cached = !absl::GetFlag(FLAGS_codec).empty();
  const auto weights = LoadWeights(absl::GetFlag(FLAGS_weights));
  if (!weights.ok()) return weights.status();
  const Batch episodes =
      MakeEpisodes(*test, cached ? at::Device(at::kCPU) : *device);
  Figures figures;
  const absl::StatusOr<PlayedEpisodes> played =
      cached ? PlayCached(*weights, *test, episodes, *device, &figures)
             : PlayDense(*weights, *test, episodes, *device, &figures);
  if (!played.ok()) return played.status();
  Print(figures);
  const std::string sheet = absl::GetFlag(FLAGS_sheet);
  return sheet.empty() ? absl::OkStatus() : WriteSheet(*played, sheet);
}

absl::Status EvaluateSafely() {
  try {
    return Evaluate();
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("evaluation failed: ", e.what()));
  }
}

}  // namespace
}  // namespace qvg::tinyworld

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Measures what TinyWorld remembers.");
  qvg::tinyworld::ParseFlags(argc, argv);
  return qvg::tinyworld::ExitStatus(qvg::tinyworld::EvaluateSafely());
}
