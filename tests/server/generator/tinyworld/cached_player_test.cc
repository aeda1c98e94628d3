#include "server/generator/tinyworld/cached_player.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>

#include "server/generator/checkpoint/safetensors.h"
#include "tests/cache/codec/random_opq_tables.h"
#include "tests/cache/place.h"
#include "tests/server/generator/tinyworld/nonzero_parameters.h"
#include "tests/server/generator/tinyworld/test_session.h"

namespace qvg::tinyworld {
namespace {

constexpr int kChunks = 2, kSteps = 2;
constexpr uint64_t kSeed = 11;

Episode WalkOf(uint64_t seed) {
  return TrainingEpisode(seed, kChunks * kFramesPerChunk, 0);
}

const OpqTables* Tables() {
  static const OpqTables* const tables =
      RandomOpqTables(kBlocks / 2, kHeads, kHeadDim, 1).release();
  return tables;
}

std::unique_ptr<CachedPlayer> Player(const std::vector<Episode>& episodes,
                                     const std::string& spec,
                                     uint64_t seed = kSeed) {
  auto player =
      CachedPlayer::Create(NonzeroParameters(), ToBatch(episodes), kSteps, seed,
                           *ParseCacheSpec(spec), Tables());
  EXPECT_TRUE(player.ok()) << player.status();
  return *std::move(player);
}

// All chunks of all worlds, (B,C*128,1536).
at::Tensor PlayThrough(CachedPlayer& player) {
  std::vector<at::Tensor> chunks;
  for (int i = 0; i < kChunks; ++i) {
    chunks.push_back(player.Sample());
    player.Commit(chunks.back());
  }
  return at::cat(chunks, 1);
}

TEST(CachedPlayerTest, PlaysAsASessionDoes) {
  const Episode walk = WalkOf(3);
  const auto player = Player({walk}, "bf16");
  const at::Tensor played = PlayThrough(*player);

  ChunkEngine engine(NonzeroParameters());
  TestSession session("bf16", kChunks);
  SessionState& state = session.state();
  state.seed = kSeed;
  state.steps = kSteps;
  for (int i = 0; i < kChunks; ++i) {
    ChunkWork work;
    work.state = &state;
    work.motion = MotionOf(walk, i);
    engine.Sample({&work, 1});
    engine.Commit({&work, 1});
    ASSERT_TRUE(work.status.ok()) << work.status;
    EXPECT_TRUE(played.narrow(1, i * kTokens, kTokens).equal(work.tokens)) << i;
  }
}

TEST(CachedPlayerTest, WorldsDoNotMeet) {
  const auto both = Player({WalkOf(3), WalkOf(4)}, "opq");
  const at::Tensor together = PlayThrough(*both);
  const auto first = Player({WalkOf(3)}, "opq");
  const auto second = Player({WalkOf(4)}, "opq", kSeed + 1);
  EXPECT_TRUE(PlayThrough(*first).equal(together.narrow(0, 0, 1)));
  EXPECT_TRUE(PlayThrough(*second).equal(together.narrow(0, 1, 1)));
}

TEST(CachedPlayerTest, PlaysManyOnAGpuAsOne) {
  QVG_SKIP_WITHOUT(kernels::MemoryKind::kDevice);
  const auto play = [](const std::vector<Episode>& episodes, uint64_t seed) {
    const GpuStream gpu = *MakeGpuStream(at::kCUDA);
    const auto tables = *Tables()->OnDevice(gpu.raw);
    const auto player =
        *CachedPlayer::Create(NonzeroParameters(), ToBatch(episodes), kSteps,
                              seed, *ParseCacheSpec("opq"), tables.get(), gpu);
    return PlayThrough(*player);
  };
  const at::Tensor together = play({WalkOf(3), WalkOf(4)}, kSeed);
  EXPECT_TRUE(play({WalkOf(3)}, kSeed).equal(together.narrow(0, 0, 1)));
  EXPECT_TRUE(play({WalkOf(4)}, kSeed + 1).equal(together.narrow(0, 1, 1)));
}

TEST(CachedPlayerTest, WhatIsCommittedIsRemembered) {
  const auto told = Player({WalkOf(3)}, "bf16");
  const auto own = Player({WalkOf(3)}, "bf16");
  told->Commit(RenderBatch(ToBatch({WalkOf(3)})).narrow(0, 0, 1));
  own->Commit(own->Sample());
  EXPECT_FALSE(told->Sample().allclose(own->Sample()));
}

TEST(CachedPlayerTest, RatiosAreThoseOfTheCache) {
  const auto plain = Player({WalkOf(3)}, "bf16");
  EXPECT_EQ(plain->packed_span_ratio(), 0);
  PlayThrough(*plain);
  EXPECT_DOUBLE_EQ(plain->packed_span_ratio(), 1);
  const auto packed = Player({WalkOf(3)}, "opq");
  PlayThrough(*packed);
  EXPECT_GE(packed->packed_span_ratio(), 7.0);
  // Two chunks in ten layers, of which five have windows, held whole.
  const double held = 5 * kWindowChunks;
  EXPECT_NEAR(plain->session_ratio(), 20 / (held + 10), 0.01);
  EXPECT_NEAR(packed->session_ratio(),
              20 / (held + 10 / packed->packed_span_ratio()), 0.01);
}

TEST(CachedPlayerTest, SpecsThatCannotRunAreRefused) {
  const auto create = [](const std::string& spec, const OpqTables* tables) {
    return CachedPlayer::Create(NonzeroParameters(), ToBatch({WalkOf(3)}),
                                kSteps, kSeed, *ParseCacheSpec(spec), tables)
        .status()
        .code();
  };
  EXPECT_EQ(create("zip", nullptr), absl::StatusCode::kNotFound);
  EXPECT_EQ(create("opq", nullptr), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(create("rtn:bits=3", nullptr), absl::StatusCode::kInvalidArgument);
}

std::string DumpPath() {
  return testing::TempDir() + "cached_player_test.safetensors";
}

// The rows of a dumped tensor as bytes.
std::string Dumped(const SafetensorsFile& file, const std::string& name) {
  const StoredTensor* tensor = file.contents().Find(name);
  if (tensor == nullptr) return "";
  return std::string(tensor->bytes.begin(), tensor->bytes.end());
}

SafetensorsFile Dump(const CachedPlayer& player) {
  const absl::Status status = player.DumpKeysAndValues(DumpPath());
  EXPECT_TRUE(status.ok()) << status;
  auto file = SafetensorsFile::Open(DumpPath());
  std::filesystem::remove(DumpPath());
  return *std::move(file);
}

TEST(CachedPlayerTest, DumpsTheGlobalLayersWorldByWorld) {
  const auto both = Player({WalkOf(3), WalkOf(4)}, "bf16");
  const auto first = Player({WalkOf(3)}, "bf16");
  const auto second = Player({WalkOf(4)}, "bf16", kSeed + 1);
  for (int i = 0; i < kChunks; ++i) {
    const at::Tensor tokens = at::rand({2, kTokens, kTokenValues});
    both->Commit(tokens);
    first->Commit(tokens.narrow(0, 0, 1));
    second->Commit(tokens.narrow(0, 1, 1));
  }
  const SafetensorsFile file = Dump(*both), a = Dump(*first), b = Dump(*second);
  ASSERT_EQ(file.contents().tensors.size(), kBlocks);
  for (int layer = 1; layer < kBlocks; layer += 2) {
    for (const char* tensor : {".keys", ".values"}) {
      const std::string name = "layers." + std::to_string(layer) + tensor;
      ASSERT_NE(file.contents().Find(name), nullptr) << name;
      EXPECT_EQ(
          file.contents().Find(name)->shape,
          (std::vector<int64_t>{2 * kChunks * kTokens, kHeads, kHeadDim}));
      EXPECT_TRUE(Dumped(file, name) == Dumped(a, name) + Dumped(b, name));
      EXPECT_TRUE(Dumped(a, name) != Dumped(b, name));
    }
  }
}

TEST(CachedPlayerTest, OnlyUnpackedHistoriesAreDumped) {
  const auto player = Player({WalkOf(3)}, "opq");
  player->Commit(player->Sample());
  EXPECT_THROW(player->DumpKeysAndValues(DumpPath()).IgnoreError(), c10::Error);
}

}  // namespace
}  // namespace qvg::tinyworld
