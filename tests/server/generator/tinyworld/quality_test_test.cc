#include "server/generator/tinyworld/quality_test.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

// A player that shows the simulator's pictures plus an error.
class TruthPlayer : public WorldPlayer {
 public:
  TruthPlayer(const Batch& batch, double error)
      : truth_(RenderBatch(batch).view(
            {batch.poses.size(0), -1, kTokens, kTokenValues})),
        error_(error) {}

  at::Tensor Sample() override {
    sampled_.push_back(chunk_);
    return truth_.select(1, chunk_) + error_;
  }
  void Commit(const at::Tensor&) override { ++chunk_; }

  const std::vector<int64_t>& sampled() const { return sampled_; }

 private:
  at::Tensor truth_;
  double error_;
  int64_t chunk_ = 0;
  std::vector<int64_t> sampled_;
};

QualityResult PlayWithError(QualityTest test, double error) {
  const Batch batch = ToBatch({QualityEpisode(test, 5)});
  TruthPlayer player(batch, error);
  return Measure(test, PlayEpisodes(test, batch, player));
}

TEST(QualityTestTest, NamesAreFixed) {
  EXPECT_EQ(*ParseQualityTest("spin"), QualityTest::kSpin);
  EXPECT_EQ(*ParseQualityTest("spinoff"), QualityTest::kSpinOff);
  EXPECT_EQ(*ParseQualityTest("retT"), QualityTest::kRetT);
  EXPECT_EQ(*ParseQualityTest("retG"), QualityTest::kRetG);
  EXPECT_EQ(*ParseQualityTest("walk"), QualityTest::kWalk);
  EXPECT_FALSE(ParseQualityTest("rett").ok());
}

TEST(QualityTestTest, PsnrIsOfTheGeneratedFrames) {
  // An error of .02 everywhere: 10 log10(4 / .0004) = 40 dB.
  for (const QualityTest test :
       {QualityTest::kSpin, QualityTest::kSpinOff, QualityTest::kRetT}) {
    EXPECT_NEAR(PlayWithError(test, 0.02).psnr_db, 40, 0.01);
  }
}

TEST(QualityTestTest, RetGComparesTheWayBackWithTheWayOut) {
  // The same error both ways cancels.
  EXPECT_GT(PlayWithError(QualityTest::kRetG, 0.02).psnr_db, 90);
}

TEST(QualityTestTest, WalkIsRelativeToTheSimulator) {
  const QualityResult same = PlayWithError(QualityTest::kWalk, 0.02);
  EXPECT_NEAR(same.edge, 1, 1e-3);
  EXPECT_NEAR(same.saturation, 1, 1e-3);
}

TEST(QualityTestTest, TrueChunksAreNotSampled) {
  const Batch batch = ToBatch({QualityEpisode(QualityTest::kRetT, 5)});
  TruthPlayer player(batch, 0);
  PlayEpisodes(QualityTest::kRetT, batch, player);
  ASSERT_EQ(player.sampled().size(), 38);
  EXPECT_EQ(player.sampled().front(), 38);
}

TEST(QualityTestTest, SpinOffIsTwoFramesOutOfStep) {
  const Episode spin = QualityEpisode(QualityTest::kSpin, 5);
  const Episode off = QualityEpisode(QualityTest::kSpinOff, 5);
  EXPECT_EQ(off.poses[31].heading, spin.poses[31].heading);
  EXPECT_EQ(off.poses[33].heading, spin.poses[31].heading);
  EXPECT_EQ(off.poses[100].heading, spin.poses[98].heading);
}

TEST(ToFramesTest, InvertsTokenOffset) {
  const at::Tensor tokens =
      at::arange(kChunkValues, at::kFloat).view({1, 1, kTokens, kTokenValues});
  const at::Tensor frames = ToFrames(tokens);
  ASSERT_EQ(frames.sizes(),
            at::IntArrayRef({1, kFramesPerChunk, kFrameSize, kFrameSize, 3}));
  for (const auto& [frame, row, column] : std::vector<std::array<int, 3>>{
           {0, 0, 0}, {1, 17, 5}, {2, 127, 127}, {3, 64, 33}}) {
    EXPECT_EQ(frames[0][frame][row][column][1].item<float>(),
              static_cast<float>(TokenOffset(frame, row, column) + 1));
  }
}

}  // namespace
}  // namespace qvg::tinyworld
