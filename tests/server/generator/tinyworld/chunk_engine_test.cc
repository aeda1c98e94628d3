#include "server/generator/tinyworld/chunk_engine.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/generator/tinyworld/batch.h"
#include "server/generator/tinyworld/block_attention.h"
#include "server/generator/tinyworld/noise.h"
#include "server/generator/tinyworld/sampler.h"
#include "tests/cache/codec/random_opq_tables.h"
#include "tests/cache/place.h"
#include "tests/server/generator/tinyworld/nonzero_parameters.h"
#include "tests/server/generator/tinyworld/test_session.h"

namespace qvg::tinyworld {
namespace {

constexpr int kChunks = 5;  // longer than the local window

const Episode& Walk() {
  static const auto* const walk =
      new Episode(TrainingEpisode(3, kChunks * kFramesPerChunk, 0));
  return *walk;
}

// The simulator's pictures of it, (C,128,1536).
const at::Tensor& Truth() {
  static const auto* const truth =
      new at::Tensor(RenderBatch(ToBatch({Walk()})));
  return *truth;
}

const OpqTables* Tables() {
  static const OpqTables* const tables =
      RandomOpqTables(kBlocks / 2, kHeads, kHeadDim, 1).release();
  return tables;
}

double RelativeError(const at::Tensor& actual, const at::Tensor& expected) {
  return ((actual - expected).norm() / expected.norm()).item<double>();
}

// On the CPU and on a GPU. Pictures are brought to the CPU.
class ChunkEngineTest : public testing::TestWithParam<kernels::MemoryKind> {
 protected:
  void SetUp() override {
    QVG_SKIP_WITHOUT(GetParam());
    if (on_gpu()) {
      auto gpu = MakeGpuStream(at::kCUDA);
      ASSERT_TRUE(gpu.ok()) << gpu.status();
      gpu_ = *std::move(gpu);
      tables_ = *Tables()->OnDevice(gpu_->raw);
    }
    engine_ = std::make_unique<ChunkEngine>(NonzeroParameters(), gpu_);
  }
  ~ChunkEngineTest() override { at::set_num_threads(threads_); }

  bool on_gpu() const { return GetParam() == kernels::MemoryKind::kDevice; }

  std::unique_ptr<TestSession> Session(const std::string& spec, int chunks) {
    return std::make_unique<TestSession>(
        spec, chunks, on_gpu() ? tables_.get() : Tables(),
        gpu_ ? kernels::Executor(gpu_->raw).memory() : kernels::MemorySpace());
  }

  static ChunkWork Work(TestSession& session) {
    ChunkWork work;
    work.state = &session.state();
    const int64_t chunk = session.state().chunks();
    work.motion = MotionOf(Walk(), chunk);
    work.key = PrefixKey::Root("chunk", "", chunk, 0, "");
    return work;
  }

  absl::StatusOr<at::Tensor> Sample(ChunkWork work) {
    engine_->Sample({&work, 1});
    if (!work.status.ok()) return work.status;
    EXPECT_GT(work.stages.denoise, 0);
    return work.tokens.to(at::kCPU);
  }
  at::Tensor Sample(TestSession& session) {
    const auto tokens = Sample(Work(session));
    EXPECT_TRUE(tokens.ok()) << tokens.status();
    return tokens.value_or(at::Tensor());
  }

  absl::Status Commit(TestSession& session, const at::Tensor& tokens) {
    ChunkWork work = Work(session);
    work.tokens = tokens;
    engine_->Commit({&work, 1});
    stages_ = work.stages;
    return work.status;
  }

  // Takes the simulator's first `chunks` chunks into the history.
  void CommitTruth(TestSession& session, int chunks) {
    for (int i = 0; i < chunks; ++i) {
      ASSERT_TRUE(Commit(session, Truth().narrow(0, i, 1)).ok());
    }
  }

  // Generates `chunks` chunks: (chunks,128,1536).
  at::Tensor Generate(TestSession& session, int chunks) {
    std::vector<at::Tensor> tokens;
    for (int i = 0; i < chunks; ++i) {
      tokens.push_back(Sample(session));
      EXPECT_TRUE(Commit(session, tokens.back()).ok());
    }
    return at::cat(tokens);
  }

  const int threads_ = at::get_num_threads();
  std::optional<GpuStream> gpu_;
  std::unique_ptr<OpqTables> tables_;  // on the GPU
  std::unique_ptr<ChunkEngine> engine_;
  StageSeconds stages_;
};

INSTANTIATE_TEST_SUITE_P(Places, ChunkEngineTest, AllPlaces(), PlaceName);

// What the definition that training uses makes of the last chunk of the walk,
// all chunks in one pass: `x` at `level`, the others clean.
at::Tensor PredictLast(const Parameters& p, const at::Tensor& x, float level) {
  const Batch batch = ToBatch({Walk()});
  const at::Tensor clean = Truth();
  const at::Tensor noised = at::cat({clean.narrow(0, 0, kChunks - 1), x});
  const at::Tensor levels =
      at::stack({at::zeros({kChunks}), at::full({kChunks}, level)}, 1);
  const auto attention = [](int block, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v) {
    return BlockAttention(q, k, v, 1, WindowChunks(block));
  };
  const Conditions conditions = MakeConditions(p, batch.poses.view({-1, 4, 3}),
                                               batch.actions.view({-1, 4}));
  return Predict(p, conditions, at::stack({clean, noised}, 1), levels,
                 attention)[kChunks - 1][1]
      .unsqueeze(0)
      .clamp(-1, 1);
}

TEST_P(ChunkEngineTest, GeneratesWhatTheModelIsTrainedToDo) {
  const Parameters p = NonzeroParameters();
  const auto session = Session("bf16:unpacked=f32", kChunks);
  CommitTruth(*session, kChunks - 1);
  const at::Tensor actual = Sample(*session);

  at::Tensor x;
  int step = 0;
  for (const float level : SamplingLevels(session->state().steps)) {
    const at::Tensor noise = at::empty({1, kTokens, kTokenValues});
    FillNoise(session->state().seed, kChunks - 1, step++,
              {noise.mutable_data_ptr<float>(), size_t(noise.numel())});
    x = PredictLast(p, x.defined() ? x * (1 - level) + noise * level : noise,
                    level);
  }
  ASSERT_EQ(actual.sizes(), x.sizes());
  EXPECT_GT(x.std().item<float>(), 0.1);  // a picture, not grey
  EXPECT_LT(RelativeError(actual, x), on_gpu() ? 2e-2 : 1e-3);
}

TEST_P(ChunkEngineTest, TheBitsOfACacheAreNearAndOrdered) {
  const auto exact = Session("bf16:unpacked=f32", kChunks);
  const auto bf16 = Session("bf16", kChunks);
  const auto opq = Session("opq", kChunks);
  for (TestSession* session : {exact.get(), bf16.get(), opq.get()}) {
    CommitTruth(*session, 2);
  }
  const at::Tensor x = Sample(*exact);
  const double rounded = RelativeError(Sample(*bf16), x);
  const double packed = RelativeError(Sample(*opq), x);
  EXPECT_LT(rounded, 0.01);
  // Random codebooks: coarse.
  EXPECT_GT(packed, rounded);
  // A GPU's keys and values are BF16 before they are stored.
  EXPECT_EQ(rounded > 0, !on_gpu());
}

TEST_P(ChunkEngineTest, SampleIsPureInTheState) {
  const auto session = Session("bf16", kChunks);
  CommitTruth(*session, 2);
  const PrefixKey prefix = session->state().prefix;
  const at::Tensor tokens = Sample(*session);
  EXPECT_TRUE(Sample(*session).equal(tokens));
  EXPECT_EQ(session->state().chunks(), 2);
  EXPECT_EQ(session->state().prefix, prefix);
  ASSERT_EQ(tokens.sizes(), at::IntArrayRef({1, kTokens, kTokenValues}));
  EXPECT_LE(tokens.abs().max().item<float>(), 1);
}

TEST_P(ChunkEngineTest, SeedStepsActionsAndHistoryMatter) {
  const auto session = Session("bf16", kChunks);
  SessionState& state = session->state();
  const at::Tensor base = Sample(*session);
  state.seed = 2;
  EXPECT_FALSE(Sample(*session).allclose(base));
  state.seed = 1;
  state.steps = 3;
  EXPECT_FALSE(Sample(*session).allclose(base));
  state.steps = 2;
  ChunkWork work = Work(*session);
  work.motion.actions.fill(Action::kBack);
  EXPECT_FALSE(Sample(work)->allclose(base));
  CommitTruth(*session, 1);
  EXPECT_FALSE(Sample(*session).allclose(base));
}

TEST_P(ChunkEngineTest, BitsDoNotDependOnThreads) {
  for (const char* spec : {"bf16", "opq", "qvg:span_chunks=1"}) {
    at::set_num_threads(1);
    const auto one = Session(spec, kChunks);
    const at::Tensor alone = Generate(*one, 2);
    at::set_num_threads(2);
    const auto two = Session(spec, kChunks);
    EXPECT_TRUE(Generate(*two, 2).equal(alone)) << spec;
  }
}

// More works than a GPU takes at once, histories of different lengths, steps
// and codecs: each is as if it were alone.
TEST_P(ChunkEngineTest, BitsDoNotDependOnWhoElseIsThere) {
  const std::vector<std::string> specs = {"bf16", "opq", "qvg:span_chunks=1"};
  const int count = on_gpu() ? ChunkEngine::kGpuLanes + 3 : 4;
  std::vector<std::unique_ptr<TestSession>> shared;
  std::vector<std::unique_ptr<TestSession>> alone;
  for (int i = 0; i < count; ++i) {
    for (auto* sessions : {&shared, &alone}) {
      sessions->push_back(Session(specs[i % specs.size()], kChunks));
      TestSession& session = *sessions->back();
      session.state().seed = 10 + i;
      if (i % 5 == 4) session.state().steps = 3;
      CommitTruth(session, i % 3);
    }
  }
  for (int round = 0; round < 2; ++round) {
    std::vector<ChunkWork> works;
    for (const auto& session : shared) works.push_back(Work(*session));
    engine_->Sample(absl::MakeSpan(works));
    engine_->Commit(absl::MakeSpan(works));
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(works[i].status.ok()) << works[i].status;
      EXPECT_TRUE(works[i].tokens.to(at::kCPU).equal(Generate(*alone[i], 1)))
          << i << ", round " << round;
    }
  }
}

TEST_P(ChunkEngineTest, AWorkFailsAlone) {
  std::vector<std::unique_ptr<TestSession>> sessions;
  std::vector<ChunkWork> works;
  const std::atomic<bool> cancelled = true;
  for (int i = 0; i < 4; ++i) {
    sessions.push_back(Session("bf16", kChunks));
    works.push_back(Work(*sessions.back()));
  }
  works[0].status = absl::InternalError("before");
  works[1].cancelled = &cancelled;
  engine_->Sample(absl::MakeSpan(works));
  works[2].tokens = works[2].tokens / 0;  // NaN
  engine_->Commit(absl::MakeSpan(works));
  EXPECT_EQ(works[0].status.message(), "before");
  EXPECT_EQ(works[1].status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(works[2].status.code(), absl::StatusCode::kInvalidArgument);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sessions[i]->state().chunks(), 0) << i;
  EXPECT_TRUE(works[3].status.ok()) << works[3].status;
  EXPECT_EQ(sessions[3]->state().chunks(), 1);
  const auto alone = Session("bf16", kChunks);
  EXPECT_TRUE(works[3].tokens.to(at::kCPU).equal(Generate(*alone, 1)));
}

TEST_P(ChunkEngineTest, CancelledEndsTheChunk) {
  const auto session = Session("bf16", kChunks);
  std::atomic<bool> cancelled = true;
  ChunkWork work = Work(*session);
  work.cancelled = &cancelled;
  EXPECT_EQ(Sample(work).status().code(), absl::StatusCode::kCancelled);
  cancelled = false;
  EXPECT_TRUE(Sample(work).ok());
}

TEST_P(ChunkEngineTest, CommitTellsWhereTimeWent) {
  const auto session = Session("opq", kChunks);
  CommitTruth(*session, 1);
  EXPECT_GT(stages_.kv_commit, 0);
  EXPECT_GT(stages_.pack, 0);
  EXPECT_EQ(session->state().chunks(), 1);
}

TEST_P(ChunkEngineTest, ARefusedChunkLeavesTheStateAsItWas) {
  for (const char* spec : {"opq", "qvg:span_chunks=2,tail_chunks=1"}) {
    const auto session = Session(spec, kChunks);
    const auto untouched = Session(spec, kChunks);
    CommitTruth(*session, 2);
    CommitTruth(*untouched, 2);
    const int64_t held = session->state().reservation.used_bytes();
    at::Tensor broken = Truth().narrow(0, 2, 1).clone();
    broken[0][17][5] = std::numeric_limits<float>::quiet_NaN();
    const absl::Status status = Commit(*session, broken);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_NE(status.message().find("layers[0].keys: NaN"), std::string::npos)
        << status;
    EXPECT_EQ(session->state().chunks(), 2);
    EXPECT_EQ(session->state().reservation.used_bytes(), held);
    EXPECT_TRUE(Generate(*session, 1).equal(Generate(*untouched, 1))) << spec;
  }
}

TEST_P(ChunkEngineTest, WithoutRoomTheStateStaysAsItWas) {
  const auto session = Session("bf16", 1);
  CommitTruth(*session, 1);
  const at::Tensor next = Sample(*session);
  const absl::Status status = Commit(*session, next);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(session->state().chunks(), 1);
  EXPECT_TRUE(Sample(*session).equal(next));
}

// Both from the same cache, over a run in which errors add up.
TEST(ChunkEnginesTest, AGpuShowsWhatTheCpuShows) {
  QVG_SKIP_WITHOUT(kernels::MemoryKind::kDevice);
  const auto play = [](std::optional<GpuStream> gpu) {
    TestSession session(
        "bf16", kChunks, nullptr,
        gpu ? kernels::Executor(gpu->raw).memory() : kernels::MemorySpace());
    ChunkEngine engine(NonzeroParameters(), gpu);
    std::vector<at::Tensor> pictures;
    for (int i = 0; i < kChunks; ++i) {
      ChunkWork work;
      work.state = &session.state();
      work.motion = MotionOf(Walk(), i);
      if (i < 2) work.tokens = Truth().narrow(0, i, 1);
      engine.Sample({&work, 1});
      engine.Commit({&work, 1});
      EXPECT_TRUE(work.status.ok()) << work.status;
      pictures.push_back(work.tokens.to(at::kCPU));
    }
    return at::cat(pictures).slice(0, 2);
  };
  const at::Tensor cpu = play(std::nullopt),
                   gpu = play(*MakeGpuStream(at::kCUDA));
  // Of values from -1 to 1.
  const double psnr =
      10 * std::log10(4 / (cpu - gpu).square().mean().item<double>());
  EXPECT_GT(psnr, 40);
}

}  // namespace
}  // namespace qvg::tinyworld
