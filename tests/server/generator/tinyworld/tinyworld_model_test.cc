#include "server/generator/tinyworld/tinyworld_model.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "server/generator/codebooks.h"
#include "server/generator/tinyworld/quality_test.h"
#include "server/generator/tinyworld/shape.h"
#include "server/generator/tinyworld/weights_file.h"
#include "tests/cache/codec/random_opq_tables.h"
#include "tests/cache/place.h"
#include "tests/server/generator/tinyworld/nonzero_parameters.h"

namespace qvg::tinyworld {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kForward = 1, kLeft = 3;

// A folder with random weights, which goes with the object.
class Folder {
 public:
  explicit Folder(const std::string& name) : path_(testing::TempDir() + name) {
    std::filesystem::create_directories(path_);
    EXPECT_TRUE(SaveWeights(NonzeroParameters(), weights()).ok());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;

  std::string weights() const { return path_ + "/tinyworld.safetensors"; }
  std::string codebooks() const { return path_ + "/tinyworld.opq.safetensors"; }
  void AddCodebooks() const {
    const auto tables = RandomOpqTables(kBlocks / 2, kHeads, kHeadDim, 1);
    EXPECT_TRUE(WriteCodebooks(codebooks(), *tables, Layout(), {}).ok());
  }

  absl::StatusOr<std::unique_ptr<VideoModel>> Load(
      const std::string& device = "cpu") const {
    ModelOptions options;
    options.device = device;
    options.model_dirs = {path_};
    options.threads = 1;
    return MakeTinyWorld(options);
  }

 private:
  std::string path_;
};

ChunkInputs Inputs(int control) {
  ChunkInputs inputs;
  inputs.frames.resize(kFramesPerChunk);
  for (FrameControl& frame : inputs.frames) frame.control = control;
  return inputs;
}

ChunkJob Job(SessionState& state, const ChunkInputs& inputs) {
  ChunkJob job;
  job.state = &state;
  job.inputs = &inputs;
  return job;
}

SessionSpec Spec(const std::string& codec, uint64_t seed, int max_chunks) {
  SessionSpec spec;
  spec.cache_spec = *ParseCacheSpec(codec);
  spec.seed = seed;
  spec.max_chunks = max_chunks;
  spec.steps = 2;
  return spec;
}

// On the CPU and on a GPU: a model each for all tests.
class TinyWorldModelTest : public testing::TestWithParam<kernels::MemoryKind> {
 protected:
  void SetUp() override {
    QVG_SKIP_WITHOUT(GetParam());
    VideoModel*& model = on_gpu() ? gpu_model_ : cpu_model_;
    if (model == nullptr) {
      const Folder folder("tinyworld_model_test");
      folder.AddCodebooks();
      auto loaded = folder.Load(on_gpu() ? "cuda" : "cpu");
      ASSERT_TRUE(loaded.ok()) << loaded.status();
      model = loaded->release();
    }
    model_ = model;
  }
  static void TearDownTestSuite() {
    for (VideoModel** model : {&cpu_model_, &gpu_model_}) {
      delete *model;
      *model = nullptr;
    }
  }

  bool on_gpu() const { return GetParam() == kernels::MemoryKind::kDevice; }

  // A session with exactly the memory that it asks for.
  std::unique_ptr<SessionState> Open(const SessionSpec& asked) {
    const auto spec = model_->Resolve(asked);
    EXPECT_TRUE(spec.ok()) << spec.status();
    const SessionBytes bytes = model_->BytesOf(*spec);
    pools_.push_back(*MemoryPool::Create(bytes.cache, model_->info().memory));
    Reservation cache = *pools_.back()->Reserve(bytes.cache);
    Reservation host;
    if (bytes.host > 0) {
      pools_.push_back(*MemoryPool::Create(bytes.host));
      host = *pools_.back()->Reserve(bytes.host);
    }
    auto state = model_->Open(*spec, std::move(cache), std::move(host));
    EXPECT_TRUE(state.ok()) << state.status();
    return *std::move(state);
  }

  // One chunk: its pictures, or what went wrong.
  absl::StatusOr<std::vector<uint8_t>> Advance(SessionState& state,
                                               const ChunkInputs& inputs) {
    ChunkJob job = Job(state, inputs);
    model_->Advance({&job, 1});
    if (!job.status.ok()) return job.status;
    return std::move(job.rgb);
  }

  // The pictures of `chunks` chunks under one control.
  std::vector<std::vector<uint8_t>> Play(SessionState& state, int chunks,
                                         int control) {
    std::vector<std::vector<uint8_t>> pictures;
    for (int i = 0; i < chunks; ++i) {
      auto rgb = Advance(state, Inputs(control));
      EXPECT_TRUE(rgb.ok()) << rgb.status();
      pictures.push_back(rgb.value_or(std::vector<uint8_t>()));
    }
    return pictures;
  }

  static VideoModel* cpu_model_;
  static VideoModel* gpu_model_;
  VideoModel* model_ = nullptr;  // one of them
  std::vector<std::unique_ptr<MemoryPool>> pools_;
};

VideoModel* TinyWorldModelTest::cpu_model_ = nullptr;
VideoModel* TinyWorldModelTest::gpu_model_ = nullptr;

INSTANTIATE_TEST_SUITE_P(Places, TinyWorldModelTest, AllPlaces(), PlaceName);

TEST_P(TinyWorldModelTest, SaysWhatItIs) {
  const ModelInfo& info = model_->info();
  EXPECT_EQ(info.name, "tinyworld");
  EXPECT_EQ(info.width * info.height, kFrameSize * kFrameSize);
  EXPECT_EQ(info.fps_numerator, 16 * info.fps_denominator);
  EXPECT_EQ(info.frames_per_chunk, kFramesPerChunk);
  ASSERT_EQ(info.controls.size(), kActions);
  EXPECT_EQ(info.controls[0].name, "idle");
  EXPECT_EQ(info.controls[kForward].name, "forward");
  EXPECT_EQ(info.controls[kLeft].name, "left");
  EXPECT_EQ(info.layout, Layout());
  EXPECT_THAT(info.device, HasSubstr(on_gpu() ? "cuda:0 (" : "1 threads"));
  EXPECT_EQ(info.memory.kind, GetParam());
  EXPECT_EQ(info.jobs_at_once > 1, on_gpu());
  EXPECT_EQ(info.default_cache_spec.codec, "opq");
  EXPECT_THAT(info.codecs, Contains("opq"));
}

TEST_P(TinyWorldModelTest, LayoutAlternatesLocalAndGlobal) {
  const KvLayout layout = Layout();
  ASSERT_EQ(layout.layers(), kBlocks);
  for (int i = 0; i < kBlocks; ++i) {
    EXPECT_EQ(layout.window_chunks[i], i % 2 == 0 ? kWindowChunks : 0);
  }
}

TEST_P(TinyWorldModelTest, ResolveFillsInEveryDefault) {
  SessionSpec spec;
  spec.seed = 9;
  spec.max_chunks = 10;
  const auto resolved = model_->Resolve(spec);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->steps, 3);
  EXPECT_EQ(resolved->cache_spec, model_->info().default_cache_spec);
  EXPECT_EQ(resolved->cache_spec.tail_chunks, 0);
  EXPECT_EQ(resolved->seed, 9);
  EXPECT_EQ(resolved->max_chunks, 10);
  const auto again = model_->Resolve(*resolved);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->cache_spec, resolved->cache_spec);
}

TEST_P(TinyWorldModelTest, ErrorsNameFieldValueAndLimit) {
  const auto error = [&](auto change) {
    SessionSpec spec = Spec("opq", 1, 10);
    change(spec);
    return std::string(model_->Resolve(spec).status().ToString());
  };
  EXPECT_THAT(error([](auto& s) { s.prompt = "a castle"; }),
              AllOf(HasSubstr("INVALID_ARGUMENT: prompt: 8 bytes"),
                    HasSubstr("takes none")));
  EXPECT_THAT(error([](auto& s) { s.steps = 5; }),
              HasSubstr("INVALID_ARGUMENT: steps: 5 is none of 2, 3, 4, 6"));
  EXPECT_THAT(error([](auto& s) { s.steps = -1; }), HasSubstr("steps: -1"));
  EXPECT_THAT(error([](auto& s) { s.cache_spec.codec = "zip"; }),
              AllOf(HasSubstr("NOT_FOUND: cache_spec.codec: 'zip'"),
                    HasSubstr("bf16, qvg")));
  EXPECT_THAT(error([](auto& s) { s.cache_spec.bits = 2; }),
              AllOf(HasSubstr("INVALID_ARGUMENT: cache_spec.bits: 2"),
                    HasSubstr("left out for codec 'opq'")));
  EXPECT_THAT(error([](auto& s) { s.cache_spec.tail_chunks = 65; }),
              HasSubstr("cache_spec.tail_chunks: 65; must be 0 to 64"));
}

TEST_P(TinyWorldModelTest, NoChunkTakesASessionOverItsBytes) {
  constexpr int kChunks = 4;
  for (const char* codec :
       {"opq", "bf16:tail_chunks=2,sink_chunks=1,unpacked=f32",
        "qvg:span_chunks=2"}) {
    const SessionSpec spec = Spec(codec, 1, kChunks);
    const SessionBytes bound = model_->BytesOf(*model_->Resolve(spec));
    const auto state = Open(spec);
    for (int i = 0; i < kChunks; ++i) {
      ASSERT_TRUE(Advance(*state, Inputs(kForward)).ok()) << codec;
      EXPECT_LE(state->reservation.committed_bytes(), bound.cache) << codec;
      EXPECT_LE(state->host.committed_bytes(), bound.host) << codec;
    }
    // The bound is not idle: most of it is held in the end.
    EXPECT_GE(state->reservation.committed_bytes(), bound.cache * 3 / 4)
        << codec;
  }
}

TEST_P(TinyWorldModelTest, BytesGrowWithChunksAndShrinkWithTheCodec) {
  const auto bytes = [&](const char* codec, int chunks) {
    return model_->BytesOf(*model_->Resolve(Spec(codec, 1, chunks))).cache;
  };
  EXPECT_GT(bytes("opq", 200), bytes("opq", 100));
  const double packed =
      static_cast<double>(bytes("opq", 1100) - bytes("opq", 100));
  const double plain =
      static_cast<double>(bytes("bf16", 1100) - bytes("bf16", 100));
  EXPECT_GE(plain / packed, 7.0);
}

TEST_P(TinyWorldModelTest, OpenNeedsItsBytes) {
  const SessionSpec spec = *model_->Resolve(Spec("opq", 1, 10));
  const auto pool =
      *MemoryPool::Create(int64_t{1} << 20, model_->info().memory);
  EXPECT_EQ(model_->Open(spec, *pool->Reserve(4096), {}).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(pool->usage().reserved, 0);
}

// What the simulator shows of the first chunks of a world, as bytes.
at::Tensor SimulatorFrames(uint64_t seed, int chunks, Action action) {
  const std::vector<Action> actions(chunks * kFramesPerChunk, action);
  const at::Tensor tokens =
      RenderBatch(ToBatch({tinyworld::Play(MakeMaze(seed), actions)}));
  const at::Tensor frames = ToFrames(tokens.unsqueeze(0));
  return ((frames + 1) * 127.5).round().to(at::kByte);
}

TEST_P(TinyWorldModelTest, TheFirstTwoChunksAreTheSimulators) {
  SessionSpec spec = Spec("opq", 6, 3);
  const auto state = Open(spec);
  const auto pictures = Play(*state, 3, kLeft);
  const at::Tensor truth = SimulatorFrames(6, 3, Action::kLeft);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(pictures[i].size(), kChunkValues);
    const at::Tensor expected =
        truth.flatten().narrow(0, i * kChunkValues, kChunkValues);
    const at::Tensor actual = at::from_blob(
        const_cast<uint8_t*>(pictures[i].data()), {kChunkValues}, at::kByte);
    EXPECT_EQ(actual.equal(expected), i < 2) << i;
  }
}

TEST_P(TinyWorldModelTest, SeedAndActionsMakeTheWorld) {
  const auto play = [&](uint64_t seed, int control) {
    return Play(*Open(Spec("opq", seed, 3)), 3, control);
  };
  const auto base = play(1, kForward);
  EXPECT_TRUE(play(1, kForward) == base);
  EXPECT_TRUE(play(2, kForward)[0] != base[0]);
  EXPECT_TRUE(play(1, kLeft)[0] != base[0]);
}

TEST_P(TinyWorldModelTest, PrefixNamesSpecAndInputs) {
  const auto prefix = [&](const char* codec, uint64_t seed, int control) {
    const auto state = Open(Spec(codec, seed, 2));
    Play(*state, 2, control);
    return state->prefix;
  };
  const PrefixKey base = prefix("opq", 1, kForward);
  EXPECT_EQ(prefix("opq", 1, kForward), base);
  EXPECT_FALSE(prefix("bf16", 1, kForward) == base);
  EXPECT_FALSE(prefix("opq", 2, kForward) == base);
  EXPECT_FALSE(prefix("opq", 1, kLeft) == base);
}

struct Broken {
  const char* name;
  ChunkInputs inputs;
  const char* error;
};

std::vector<Broken> BrokenInputs() {
  Broken control{"control", Inputs(kForward), "control: 5 is not in [0, 5)"};
  control.inputs.frames[3].control = 5;
  Broken negative{"negative", Inputs(-1), "control: -1 is not in [0, 5)"};
  Broken frames{"frames", Inputs(kForward), "frames: 3 controls, need 4"};
  frames.inputs.frames.pop_back();
  Broken prompt{"prompt", Inputs(kForward), "prompt: tinyworld takes none"};
  prompt.inputs.prompt_changed = true;
  return {control, negative, frames, prompt};
}

std::string ModelBytes(const SessionState& state) {
  const absl::Span<const uint8_t> bytes = state.boundary.model_bytes.bytes();
  return std::string(bytes.begin(), bytes.end());
}

TEST_P(TinyWorldModelTest, BrokenInputsLeaveTheStateAsItWas) {
  const auto state = Open(Spec("opq", 2, 3));
  Play(*state, 1, kForward);
  for (const Broken& broken : BrokenInputs()) {
    const std::string world = ModelBytes(*state);
    const PrefixKey prefix = state->prefix;
    const absl::Status status = Advance(*state, broken.inputs).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << broken.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(broken.error));
    EXPECT_EQ(state->chunks(), 1);
    EXPECT_EQ(state->prefix, prefix);
    EXPECT_EQ(ModelBytes(*state), world);
  }
}

TEST_P(TinyWorldModelTest, AJobFailsAlone) {
  const auto left = Open(Spec("opq", 1, 4)), failing = Open(Spec("opq", 2, 4)),
             right = Open(Spec("bf16", 3, 4));
  for (SessionState* state : {left.get(), failing.get(), right.get()}) {
    Play(*state, 2, kForward);
  }
  const ChunkInputs good = Inputs(kForward), bad = Inputs(kActions);
  std::vector<ChunkJob> jobs = {Job(*left, good), Job(*failing, bad),
                                Job(*right, good)};
  model_->Advance(absl::MakeSpan(jobs));
  EXPECT_FALSE(jobs[1].status.ok());
  EXPECT_TRUE(jobs[1].rgb.empty());
  // All three look as if they had always been alone.
  const auto alone = [&](const char* codec, uint64_t seed) {
    return Play(*Open(Spec(codec, seed, 4)), 3, kForward).back();
  };
  EXPECT_TRUE(jobs[0].rgb == alone("opq", 1));
  EXPECT_TRUE(jobs[2].rgb == alone("bf16", 3));
  EXPECT_TRUE(*Advance(*failing, good) == alone("opq", 2));
}

TEST_P(TinyWorldModelTest, NoRoomFailsTheChunkAndKeepsTheState) {
  const auto state = Open(Spec("bf16", 1, 1));
  Play(*state, 1, kForward);
  const std::string world = ModelBytes(*state);
  EXPECT_EQ(Advance(*state, Inputs(kForward)).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(state->chunks(), 1);
  EXPECT_EQ(ModelBytes(*state), world);
}

TEST_P(TinyWorldModelTest, ACancelledJobCanBeRunAgain) {
  const auto state = Open(Spec("opq", 1, 4));
  Play(*state, 2, kForward);
  const ChunkInputs inputs = Inputs(kForward);
  const std::atomic<bool> cancelled = true;
  ChunkJob job = Job(*state, inputs);
  job.cancelled = &cancelled;
  model_->Advance({&job, 1});
  EXPECT_EQ(job.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(state->chunks(), 2);
  EXPECT_TRUE(*Advance(*state, inputs) ==
              Play(*Open(Spec("opq", 1, 4)), 3, kForward).back());
}

TEST_P(TinyWorldModelTest, TellsWhereTimeWent) {
  const auto state = Open(Spec("opq", 1, 3));
  Play(*state, 2, kForward);
  const ChunkInputs inputs = Inputs(kForward);
  ChunkJob job = Job(*state, inputs);
  model_->Advance({&job, 1});
  ASSERT_TRUE(job.status.ok());
  EXPECT_GT(job.stages.denoise, 0);
  EXPECT_GT(job.stages.kv_commit, 0);
  EXPECT_GT(job.stages.pack, 0);
  EXPECT_GT(job.stages.decode, 0);
}

TEST(TinyWorldFilesTest, WithoutCodebooksThereIsNoOpq) {
  const Folder folder("tinyworld_without_codebooks");
  const auto model = folder.Load();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->info().default_cache_spec.codec, "bf16");
  EXPECT_THAT((*model)->info().codecs, Not(Contains("opq")));
  const absl::Status status = (*model)->Resolve(Spec("opq", 1, 10)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("codebooks"));
}

TEST(TinyWorldFilesTest, FingerprintNamesWeightsAndCodebooks) {
  const Folder folder("tinyworld_fingerprint");
  const auto fingerprint = [&] { return (*folder.Load())->info().fingerprint; };
  const std::string plain = fingerprint();
  folder.AddCodebooks();
  const std::string with_codebooks = fingerprint();
  EXPECT_NE(plain, with_codebooks);
  EXPECT_EQ(fingerprint(), with_codebooks);
  ASSERT_TRUE(SaveWeights(InitialParameters(4), folder.weights()).ok());
  EXPECT_NE(fingerprint(), with_codebooks);
}

TEST(TinyWorldFilesTest, MissingAndDamagedFilesAreNamed) {
  const Folder folder("tinyworld_damaged");
  std::ofstream(folder.codebooks()) << "no codebooks";
  const absl::Status damaged = folder.Load().status();
  EXPECT_FALSE(damaged.ok());
  EXPECT_THAT(std::string(damaged.message()), HasSubstr("tinyworld.opq"));
  std::ofstream(folder.weights()) << "no weights";
  EXPECT_THAT(std::string(folder.Load().status().message()),
              HasSubstr("tinyworld.safetensors"));
  std::filesystem::remove(folder.weights());
  EXPECT_EQ(folder.Load().status().code(), absl::StatusCode::kNotFound);
}

TEST(TinyWorldFilesTest, ADeviceThatIsNotThereIsNotServed) {
  const Folder folder("tinyworld_no_device");
  const absl::Status status = folder.Load("cuda:63").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("device: cuda:63"));
}

}  // namespace
}  // namespace qvg::tinyworld
