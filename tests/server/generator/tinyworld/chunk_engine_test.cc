#include "server/generator/tinyworld/chunk_engine.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "server/generator/tinyworld/batch.h"
#include "server/generator/tinyworld/block_attention.h"
#include "server/generator/tinyworld/noise.h"
#include "server/generator/tinyworld/sampler.h"
#include "tests/cache/codec/random_opq_tables.h"
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

class ChunkEngineTest : public testing::Test {
 protected:
  ChunkEngineTest() : engine_(NonzeroParameters()) {}
  ~ChunkEngineTest() override { at::set_num_threads(threads_); }

  at::Tensor Sample(TestSession& session) {
    const auto tokens = engine_.Sample(
        session.state(), MotionOf(Walk(), session.state().chunks()), nullptr);
    EXPECT_TRUE(tokens.ok()) << tokens.status();
    return tokens.value_or(at::Tensor());
  }

  absl::Status Commit(TestSession& session, const at::Tensor& tokens) {
    const int64_t chunk = session.state().chunks();
    return engine_.Commit(session.state(), MotionOf(Walk(), chunk), tokens,
                          PrefixKey::Root("chunk", "", chunk, 0, ""), &stages_);
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
  ChunkEngine engine_;
  StageSeconds stages_;
};

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

TEST_F(ChunkEngineTest, GeneratesWhatTheModelIsTrainedToDo) {
  const Parameters p = NonzeroParameters();
  TestSession session("bf16:unpacked=f32", kChunks);
  CommitTruth(session, kChunks - 1);
  const at::Tensor actual = Sample(session);

  at::Tensor x;
  int step = 0;
  for (const float level : SamplingLevels(session.state().steps)) {
    const at::Tensor noise = at::empty({1, kTokens, kTokenValues});
    FillNoise(session.state().seed, kChunks - 1, step++,
              {noise.mutable_data_ptr<float>(), size_t(noise.numel())});
    x = PredictLast(p, x.defined() ? x * (1 - level) + noise * level : noise,
                    level);
  }
  ASSERT_EQ(actual.sizes(), x.sizes());
  EXPECT_GT(x.std().item<float>(), 0.1);  // a picture, not grey
  EXPECT_TRUE(actual.allclose(x, 1e-3, 1e-3))
      << (actual - x).abs().max().item<float>();
}

TEST_F(ChunkEngineTest, TheBitsOfACacheAreNearAndOrdered) {
  TestSession exact("bf16:unpacked=f32", kChunks), bf16("bf16", kChunks),
      opq("opq", kChunks, Tables());
  for (TestSession* session : {&exact, &bf16, &opq}) CommitTruth(*session, 2);
  const at::Tensor x = Sample(exact);
  const auto error = [&](TestSession& session) {
    return ((Sample(session) - x).norm() / x.norm()).item<double>();
  };
  const double rounded = error(bf16), packed = error(opq);
  EXPECT_GT(rounded, 0);
  EXPECT_LT(rounded, 0.01);
  // Random codebooks: coarse.
  EXPECT_GT(packed, rounded);
}

TEST_F(ChunkEngineTest, SampleIsPureInTheState) {
  TestSession session("bf16", kChunks);
  CommitTruth(session, 2);
  const PrefixKey prefix = session.state().prefix;
  const at::Tensor tokens = Sample(session);
  EXPECT_TRUE(Sample(session).equal(tokens));
  EXPECT_EQ(session.state().chunks(), 2);
  EXPECT_EQ(session.state().prefix, prefix);
  ASSERT_EQ(tokens.sizes(), at::IntArrayRef({1, kTokens, kTokenValues}));
  EXPECT_LE(tokens.abs().max().item<float>(), 1);
}

TEST_F(ChunkEngineTest, SeedStepsActionsAndHistoryMatter) {
  TestSession session("bf16", kChunks);
  SessionState& state = session.state();
  const at::Tensor base = Sample(session);
  state.seed = 2;
  EXPECT_FALSE(Sample(session).allclose(base));
  state.seed = 1;
  state.steps = 3;
  EXPECT_FALSE(Sample(session).allclose(base));
  state.steps = 2;
  ChunkMotion motion = MotionOf(Walk(), 0);
  motion.actions.fill(Action::kBack);
  EXPECT_FALSE(engine_.Sample(state, motion, nullptr)->allclose(base));
  CommitTruth(session, 1);
  EXPECT_FALSE(Sample(session).allclose(base));
}

TEST_F(ChunkEngineTest, BitsDoNotDependOnThreads) {
  for (const char* spec : {"bf16", "opq", "qvg:span_chunks=1"}) {
    at::set_num_threads(1);
    TestSession one(spec, kChunks, Tables());
    const at::Tensor alone = Generate(one, 2);
    at::set_num_threads(2);
    TestSession two(spec, kChunks, Tables());
    EXPECT_TRUE(Generate(two, 2).equal(alone)) << spec;
  }
}

TEST_F(ChunkEngineTest, CancelledEndsTheChunk) {
  TestSession session("bf16", kChunks);
  std::atomic<bool> cancelled = true;
  const auto tokens =
      engine_.Sample(session.state(), MotionOf(Walk(), 0), &cancelled);
  EXPECT_EQ(tokens.status().code(), absl::StatusCode::kCancelled);
  cancelled = false;
  EXPECT_TRUE(
      engine_.Sample(session.state(), MotionOf(Walk(), 0), &cancelled).ok());
}

TEST_F(ChunkEngineTest, CommitTellsWhereTimeWent) {
  TestSession session("opq", kChunks, Tables());
  CommitTruth(session, 1);
  EXPECT_GT(stages_.kv_commit, 0);
  EXPECT_GT(stages_.pack, 0);
  EXPECT_EQ(session.state().chunks(), 1);
}

TEST_F(ChunkEngineTest, ARefusedChunkLeavesTheStateAsItWas) {
  for (const char* spec : {"opq", "qvg:span_chunks=2,tail_chunks=1"}) {
    TestSession session(spec, kChunks, Tables()),
        untouched(spec, kChunks, Tables());
    CommitTruth(session, 2);
    CommitTruth(untouched, 2);
    const int64_t held = session.state().reservation.used_bytes();
    at::Tensor broken = Truth().narrow(0, 2, 1).clone();
    broken[0][17][5] = std::numeric_limits<float>::quiet_NaN();
    const absl::Status status = Commit(session, broken);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_NE(status.message().find("layers[0].keys: NaN"), std::string::npos)
        << status;
    EXPECT_EQ(session.state().chunks(), 2);
    EXPECT_EQ(session.state().reservation.used_bytes(), held);
    EXPECT_TRUE(Generate(session, 1).equal(Generate(untouched, 1))) << spec;
  }
}

TEST_F(ChunkEngineTest, WithoutRoomTheStateStaysAsItWas) {
  TestSession session("bf16", 1);
  CommitTruth(session, 1);
  const at::Tensor next = Sample(session);
  const absl::Status status = Commit(session, next);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(session.state().chunks(), 1);
  EXPECT_TRUE(Sample(session).equal(next));
}

}  // namespace
}  // namespace qvg::tinyworld
