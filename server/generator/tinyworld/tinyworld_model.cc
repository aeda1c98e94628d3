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
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cache/codec/registry.h"
#include "cache/sha256.h"
#include "server/generator/checkpoint/safetensors.h"
#include "server/generator/codebooks.h"
#include "server/generator/tinyworld/chunk_engine.h"
#include "server/generator/tinyworld/gpu_stream.h"
#include "server/generator/tinyworld/quality_test.h"
#include "server/generator/tinyworld/render.h"
#include "server/generator/tinyworld/sampler.h"
#include "server/generator/tinyworld/weights_file.h"

namespace qvg::tinyworld {
namespace {

constexpr char kWeightsFile[] = "tinyworld.safetensors";
constexpr int kPrimedChunks = 2;
constexpr int kDefaultSteps = 3;
constexpr int kMaxSteps = 6;

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

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

// Tokens (1,128,1536) in [-1, 1] of N chunks as bytes on the CPU,
// [chunk,frame,row,column,channel].
at::Tensor ToRgb(const std::vector<at::Tensor>& tokens) {
  return ((ToFrames(at::stack(tokens).squeeze(1).unsqueeze(1)) + 1) * 127.5 +
          0.5)
      .to(at::kByte)
      .to(at::kCPU);
}

class TinyWorldModel : public VideoModel {
 public:
  // `tables` are where the model computes.
  TinyWorldModel(ModelInfo info, const Parameters& parameters,
                 std::unique_ptr<OpqTables> tables,
                 std::optional<GpuStream> gpu)
      : info_(std::move(info)),
        tables_(std::move(tables)),
        gpu_(std::move(gpu)),
        engine_(parameters, gpu_) {}

  const ModelInfo& info() const override { return info_; }

  absl::StatusOr<SessionSpec> Resolve(const SessionSpec& spec) const override;
  SessionBytes BytesOf(const SessionSpec& spec) const override;
  absl::StatusOr<std::unique_ptr<SessionState>> Open(const SessionSpec& spec,
                                                     Reservation cache,
                                                     Reservation host) override;
  void Advance(absl::Span<ChunkJob> jobs) override;

 private:
  void AdvanceAll(absl::Span<ChunkJob> jobs);
  absl::Status Begin(const ChunkJob& job, ChunkWork* work, World* world) const;
  void Show(absl::Span<ChunkJob* const> jobs,
            const std::vector<at::Tensor>& tokens) const;

  const ModelInfo info_;
  const std::unique_ptr<OpqTables> tables_;
  const std::optional<GpuStream> gpu_;
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

SessionBytes TinyWorldModel::BytesOf(const SessionSpec& spec) const {
  const auto codec = MakeCodec(spec.cache_spec, info_.layout, tables_.get());
  const auto bytes = [&](int64_t model_bytes) {
    return SessionState::MaxBytes(info_.layout, spec.cache_spec, **codec,
                                  model_bytes, spec.max_chunks);
  };
  if (!gpu_) return {bytes(sizeof(World)), 0};
  return {bytes(0), MemoryPool::ReservationFor(sizeof(World))};
}

absl::StatusOr<std::unique_ptr<SessionState>> TinyWorldModel::Open(
    const SessionSpec& spec, Reservation cache, Reservation host) {
  const auto on_stream = Use(gpu_);
  auto codec = MakeCodec(spec.cache_spec, info_.layout, tables_.get());
  if (!codec.ok()) return codec.status();
  const PrefixKey root =
      PrefixKey::Root(info_.fingerprint, ToString(spec.cache_spec), spec.seed,
                      spec.steps, spec.prompt);
  auto state = SessionState::Create(info_.layout, spec.cache_spec,
                                    *std::move(codec), sizeof(World), root,
                                    std::move(cache), std::move(host));
  if (!state.ok()) return state.status();
  (*state)->seed = spec.seed;
  (*state)->steps = spec.steps;
  const Maze maze = MakeMaze(spec.seed);
  WriteWorld({maze, maze.start}, **state);
  return state;
}

// Says what is to be made, and draws what the simulator shows.
absl::Status TinyWorldModel::Begin(const ChunkJob& job, ChunkWork* work,
                                   World* world) const {
  if (job.inputs->prompt_changed) {
    return absl::InvalidArgumentError(
        absl::StrCat("prompt: ", info_.name, " takes none"));
  }
  *world = ReadWorld(*job.state);
  const auto motion = Move(*job.inputs, world);
  if (!motion.ok()) return motion.status();
  work->state = job.state;
  work->motion = *motion;
  work->cancelled = job.cancelled;
  work->key = job.state->prefix.Next(Serialized(*motion));
  if (job.state->chunks() >= kPrimedChunks) return absl::OkStatus();
  const Clock::time_point start = Clock::now();
  const at::Tensor tokens = at::empty({1, kTokens, kTokenValues});
  RenderChunk(world->maze, motion->poses.data(),
              tokens.mutable_data_ptr<float>());
  work->tokens = gpu_ ? tokens.to(gpu_->torch.device()) : tokens;
  work->stages.denoise = SecondsSince(start);
  return absl::OkStatus();
}

// Gives the jobs their pictures, all in one copy.
void TinyWorldModel::Show(absl::Span<ChunkJob* const> jobs,
                          const std::vector<at::Tensor>& tokens) const {
  if (jobs.empty()) return;
  const Clock::time_point start = Clock::now();
  const at::Tensor rgb = ToRgb(tokens);
  const auto* bytes = rgb.const_data_ptr<uint8_t>();
  for (ChunkJob* job : jobs) {
    job->rgb.assign(bytes, bytes + kChunkValues);
    bytes += kChunkValues;
  }
  for (ChunkJob* job : jobs) job->stages.decode = SecondsSince(start);
}

void TinyWorldModel::Advance(absl::Span<ChunkJob> jobs) {
  const auto on_stream = Use(gpu_);
  try {
    AdvanceAll(jobs);
  } catch (const std::exception& e) {
    for (ChunkJob& job : jobs) {
      if (!job.status.ok() || !job.rgb.empty()) continue;
      job.status =
          absl::InternalError(absl::StrCat("generation failed: ", e.what()));
    }
  }
}

void TinyWorldModel::AdvanceAll(absl::Span<ChunkJob> jobs) {
  std::vector<ChunkWork> works(jobs.size());
  std::vector<World> worlds(jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i) {
    works[i].status = Begin(jobs[i], &works[i], &worlds[i]);
  }
  engine_.Sample(absl::MakeSpan(works));
  engine_.Commit(absl::MakeSpan(works));
  std::vector<ChunkJob*> made;
  std::vector<at::Tensor> tokens;
  for (size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].status = works[i].status;
    jobs[i].stages = works[i].stages;
    if (!works[i].status.ok()) continue;
    jobs[i].state->prefix = works[i].key;
    WriteWorld(worlds[i], *jobs[i].state);
    made.push_back(&jobs[i]);
    tokens.push_back(works[i].tokens);
  }
  Show(made, tokens);
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

// The GPU of "cuda" or "cuda:N", none for "cpu".
absl::StatusOr<std::optional<GpuStream>> FindGpu(const std::string& device) {
  if (device == "cpu") return std::nullopt;
  auto gpu = MakeGpuStream(c10::Device(device));
  if (!gpu.ok()) return gpu.status();
  return *std::move(gpu);
}

// Where it runs, and how.
void Place(const std::optional<GpuStream>& gpu, int threads, ModelInfo* info) {
  threads = UseThreads(threads);
  if (!gpu) {
    info->device = absl::StrCat("cpu (", at::get_cpu_capability(), ", ",
                                threads, " threads)");
    return;
  }
  info->device = gpu->name;
  info->memory = kernels::Executor(gpu->raw).memory();
  info->jobs_at_once = ChunkEngine::kGpuLanes;
}

absl::StatusOr<std::unique_ptr<VideoModel>> Load(const std::string& path,
                                                 const ModelOptions& options) {
  auto gpu = FindGpu(options.device);
  if (!gpu.ok()) return gpu.status();
  auto parameters = LoadWeights(path);
  if (!parameters.ok()) return parameters.status();
  auto tables = LoadCodebooks(path);
  if (!tables.ok()) return tables.status();
  auto fingerprint = Fingerprint(path, *tables != nullptr);
  if (!fingerprint.ok()) return fingerprint.status();
  if (*gpu && *tables != nullptr) {
    tables = (*tables)->OnDevice((*gpu)->raw);
    if (!tables.ok()) return tables.status();
  }
  ModelInfo info = Describe(*tables != nullptr);
  auto resolved =
      ResolveCacheSpec(info.default_cache_spec, info.layout, tables->get());
  if (!resolved.ok()) return resolved.status();
  info.default_cache_spec = *std::move(resolved);
  info.fingerprint = *std::move(fingerprint);
  Place(*gpu, options.threads, &info);
  return std::make_unique<TinyWorldModel>(std::move(info), *parameters,
                                          *std::move(tables), *std::move(gpu));
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
  const auto path = FindWeights(options, kWeightsFile);
  if (!path.ok()) return path.status();
  try {
    return Load(*path, options);
  } catch (const std::exception& e) {
    return absl::InternalError(
        absl::StrCat(*path, ": cannot be loaded: ", e.what()));
  }
}

}  // namespace qvg::tinyworld
