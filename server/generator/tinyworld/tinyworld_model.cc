#include "server/generator/tinyworld/tinyworld_model.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cache/codec/registry.h"
#include "cache/sha256.h"
#include "server/generator/checkpoint/safetensors.h"
#include "server/generator/codebooks.h"
#include "server/generator/tinyworld/chunk_engine.h"
#include "server/generator/tinyworld/render.h"
#include "server/generator/tinyworld/sampler.h"
#include "server/generator/tinyworld/weights_file.h"

namespace qvg::tinyworld {
namespace {

constexpr char kWeightsFile[] = "tinyworld.safetensors";
constexpr int kPrimedChunks = 2;
constexpr int kDefaultSteps = 3;
constexpr int kMaxSteps = 6;

// What a session keeps beside keys and values.
struct World {
  Maze maze;
  Pose pose;
};
static_assert(std::is_trivially_copyable_v<World>);

World ReadWorld(const SessionState& state) {
  World world;
  std::memcpy(&world, state.boundary.model_bytes.bytes().data(), sizeof(world));
  return world;
}

void WriteWorld(const World& world, SessionState& state) {
  std::memcpy(state.boundary.model_bytes.bytes().data(), &world, sizeof(world));
}

// Walks on from world->pose.
absl::StatusOr<ChunkMotion> Move(const ChunkInputs& inputs, World* world) {
  if (inputs.frames.size() != kFramesPerChunk) {
    return absl::InvalidArgumentError(absl::StrCat(
        "frames: ", inputs.frames.size(), " controls, need ", kFramesPerChunk));
  }
  ChunkMotion motion;
  for (int i = 0; i < kFramesPerChunk; ++i) {
    const int control = inputs.frames[i].control;
    if (control < 0 || control >= kActions) {
      return absl::InvalidArgumentError(
          absl::StrCat("control: ", control, " is not in [0, ", kActions, ")"));
    }
    motion.actions[i] = static_cast<Action>(control);
    world->pose = Step(world->maze, world->pose, motion.actions[i]);
    motion.poses[i] = world->pose;
  }
  return motion;
}

std::string Serialized(const ChunkMotion& motion) {
  std::string bytes;
  for (const Action action : motion.actions) {
    bytes.push_back(static_cast<char>(action));
  }
  return bytes;
}

// Tokens (1,128,1536) in [-1, 1] as [frame,row,column,channel] bytes.
std::vector<uint8_t> ToRgb(const at::Tensor& tokens) {
  const float* values = tokens.const_data_ptr<float>();
  std::vector<uint8_t> rgb(kChunkValues);
  uint8_t* out = rgb.data();
  for (int frame = 0; frame < kFramesPerChunk; ++frame) {
    for (int row = 0; row < kFrameSize; ++row) {
      for (int column = 0; column < kFrameSize; column += kPatch) {
        const float* from = values + TokenOffset(frame, row, column);
        for (int i = 0; i < kPatch * 3; ++i) {
          *out++ = static_cast<uint8_t>((from[i] + 1) * 127.5f + 0.5f);
        }
      }
    }
  }
  return rgb;
}

class TinyWorldModel : public VideoModel {
 public:
  TinyWorldModel(ModelInfo info, Parameters parameters,
                 std::unique_ptr<OpqTables> tables)
      : info_(std::move(info)),
        tables_(std::move(tables)),
        engine_(std::move(parameters)) {}

  const ModelInfo& info() const override { return info_; }

  absl::StatusOr<SessionSpec> Resolve(const SessionSpec& spec) const override;
  int64_t SessionBytes(const SessionSpec& spec) const override;
  absl::StatusOr<std::unique_ptr<SessionState>> Open(
      const SessionSpec& spec, Reservation reservation) override;
  void Advance(absl::Span<ChunkJob> jobs) override;

 private:
  absl::Status AdvanceOne(ChunkJob& job);
  absl::StatusOr<at::Tensor> Picture(const ChunkJob& job, const World& world,
                                     const ChunkMotion& motion);

  const ModelInfo info_;
  const std::unique_ptr<OpqTables> tables_;
  ChunkEngine engine_;
};

absl::StatusOr<SessionSpec> TinyWorldModel::Resolve(
    const SessionSpec& spec) const {
  SessionSpec resolved = spec;
  if (!spec.prompt.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("prompt: ", spec.prompt.size(), " bytes, but ", info_.name,
                     " takes none"));
  }
  if (resolved.steps == 0) resolved.steps = info_.default_steps;
  if (SamplingLevels(resolved.steps).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("steps: ", resolved.steps, " is none of 2, 3, 4, 6"));
  }
  if (resolved.cache_spec.codec.empty()) {
    resolved.cache_spec.codec = info_.default_cache_spec.codec;
  }
  absl::StatusOr<CacheSpec> cache_spec =
      ResolveCacheSpec(resolved.cache_spec, info_.layout, tables_.get());
  if (!cache_spec.ok()) return cache_spec.status();
  resolved.cache_spec = *std::move(cache_spec);
  return resolved;
}

int64_t TinyWorldModel::SessionBytes(const SessionSpec& spec) const {
  const auto codec = MakeCodec(spec.cache_spec, info_.layout, tables_.get());
  return SessionState::MaxBytes(info_.layout, spec.cache_spec, **codec,
                                sizeof(World), spec.max_chunks);
}

absl::StatusOr<std::unique_ptr<SessionState>> TinyWorldModel::Open(
    const SessionSpec& spec, Reservation reservation) {
  auto codec = MakeCodec(spec.cache_spec, info_.layout, tables_.get());
  if (!codec.ok()) return codec.status();
  const PrefixKey root =
      PrefixKey::Root(info_.fingerprint, ToString(spec.cache_spec), spec.seed,
                      spec.steps, spec.prompt);
  auto state =
      SessionState::Create(info_.layout, spec.cache_spec, *std::move(codec),
                           sizeof(World), root, std::move(reservation));
  if (!state.ok()) return state.status();
  (*state)->seed = spec.seed;
  (*state)->steps = spec.steps;
  const Maze maze = MakeMaze(spec.seed);
  WriteWorld({maze, maze.start}, **state);
  return state;
}

absl::StatusOr<at::Tensor> TinyWorldModel::Picture(const ChunkJob& job,
                                                   const World& world,
                                                   const ChunkMotion& motion) {
  if (job.state->chunks() >= kPrimedChunks) {
    return engine_.Sample(*job.state, motion, job.cancelled);
  }
  const at::Tensor tokens = at::empty({1, kTokens, kTokenValues});
  RenderChunk(world.maze, motion.poses.data(),
              tokens.mutable_data_ptr<float>());
  return tokens;
}

absl::Status TinyWorldModel::AdvanceOne(ChunkJob& job) {
  if (job.inputs->prompt_changed) {
    return absl::InvalidArgumentError(
        absl::StrCat("prompt: ", info_.name, " takes none"));
  }
  World world = ReadWorld(*job.state);
  const auto motion = Move(*job.inputs, &world);
  if (!motion.ok()) return motion.status();
  const auto start = std::chrono::steady_clock::now();
  const auto tokens = Picture(job, world, *motion);
  if (!tokens.ok()) return tokens.status();
  const auto drawn = std::chrono::steady_clock::now();
  const PrefixKey key = job.state->prefix.Next(Serialized(*motion));
  const absl::Status committed =
      engine_.Commit(*job.state, *motion, *tokens, key, &job.stages);
  if (!committed.ok()) return committed;
  job.state->prefix = key;
  WriteWorld(world, *job.state);
  const auto packed = std::chrono::steady_clock::now();
  job.rgb = ToRgb(*tokens);
  job.stages.denoise = std::chrono::duration<double>(drawn - start).count();
  job.stages.decode =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - packed)
          .count();
  return absl::OkStatus();
}

void TinyWorldModel::Advance(absl::Span<ChunkJob> jobs) {
  for (ChunkJob& job : jobs) {
    try {
      job.status = AdvanceOne(job);
    } catch (const std::exception& e) {
      job.status =
          absl::InternalError(absl::StrCat("generation failed: ", e.what()));
    }
  }
}

ModelInfo Describe(bool has_codebooks) {
  ModelInfo info;
  info.name = "tinyworld";
  info.description =
      "A maze to walk in, made up by a small transformer that the project "
      "trained";
  info.width = kFrameSize;
  info.height = kFrameSize;
  info.fps_numerator = 16;
  info.frames_per_chunk = kFramesPerChunk;
  info.default_steps = kDefaultSteps;
  info.max_steps = kMaxSteps;
  info.controls = {{"idle", 0, "stand still"},
                   {"forward", 0, "walk ahead"},
                   {"back", 0, "walk backwards"},
                   {"left", 0, "turn left by 11.25 degrees a frame"},
                   {"right", 0, "turn right by 11.25 degrees a frame"}};
  info.layout = Layout();
  for (const CodecInfo& codec : Codecs()) {
    if (codec.needs_model_tables && !has_codebooks) continue;
    info.codecs.push_back(codec.name);
  }
  info.default_cache_spec.codec = has_codebooks ? "opq" : "bf16";
  return info;
}

std::string CodebooksPath(const std::string& weights) {
  return absl::StrCat(absl::StripSuffix(weights, ".safetensors"),
                      ".opq.safetensors");
}

absl::StatusOr<std::string> FileHash(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  return Hex(Sha256(bytes));
}

// Names weights and codebooks.
absl::StatusOr<std::string> Fingerprint(const std::string& weights,
                                        bool has_codebooks) {
  auto hash = FileHash(weights);
  if (!hash.ok() || !has_codebooks) return hash;
  const auto codebooks = FileHash(CodebooksPath(weights));
  if (!codebooks.ok()) return codebooks.status();
  return absl::StrCat(*hash, ":", *codebooks);
}

// LibTorch's threads are of the process.
int UseThreads(int threads) {
  if (threads <= 0) {
    threads = static_cast<int>(std::thread::hardware_concurrency());
  }
  at::set_num_threads(std::max(threads, 1));
  return at::get_num_threads();
}

absl::StatusOr<std::unique_ptr<VideoModel>> Load(const std::string& path,
                                                 int threads) {
  auto parameters = LoadWeights(path);
  if (!parameters.ok()) return parameters.status();
  auto tables = LoadCodebooks(path);
  if (!tables.ok()) return tables.status();
  auto fingerprint = Fingerprint(path, *tables != nullptr);
  if (!fingerprint.ok()) return fingerprint.status();
  ModelInfo info = Describe(*tables != nullptr);
  auto resolved =
      ResolveCacheSpec(info.default_cache_spec, info.layout, tables->get());
  if (!resolved.ok()) return resolved.status();
  info.default_cache_spec = *std::move(resolved);
  info.fingerprint = *std::move(fingerprint);
  info.device = absl::StrCat("cpu (", at::get_cpu_capability(), ", ",
                             UseThreads(threads), " threads)");
  return std::make_unique<TinyWorldModel>(
      std::move(info), *std::move(parameters), *std::move(tables));
}

}  // namespace

KvLayout Layout() {
  KvLayout layout;
  layout.heads = kHeads;
  layout.head_dim = kHeadDim;
  layout.tokens_per_chunk = kTokens;
  for (int i = 0; i < kBlocks; ++i) {
    layout.window_chunks.push_back(WindowChunks(i));
  }
  return layout;
}

absl::StatusOr<std::unique_ptr<OpqTables>> LoadCodebooks(
    const std::string& weights) {
  const std::string path = CodebooksPath(weights);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return nullptr;
  const auto file = SafetensorsFile::Open(path);
  if (!file.ok()) return file.status();
  return ReadCodebooks(file->contents(), Layout());
}

absl::StatusOr<std::unique_ptr<VideoModel>> MakeTinyWorld(
    const ModelOptions& options) {
  if (options.device != "cpu") {
    return absl::UnimplementedError(absl::StrCat(
        "device: '", options.device, "': tinyworld is served on cpu only"));
  }
  const auto path = FindWeights(options, kWeightsFile);
  if (!path.ok()) return path.status();
  try {
    return Load(*path, options.threads);
  } catch (const std::exception& e) {
    return absl::InternalError(
        absl::StrCat(*path, ": cannot be loaded: ", e.what()));
  }
}

}  // namespace qvg::tinyworld
