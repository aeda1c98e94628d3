#include "server/generator/tinyworld/quality_test.h"

#include <ATen/ATen.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/generator/tinyworld/random.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

constexpr int kSpinFrames = 160;
constexpr int kSpinTrueChunks = 8;  // one revolution
constexpr int kWayOut = 152;        // frames
constexpr int kReturnFrames = 2 * kWayOut;
constexpr int kPrimedChunks = 2;
constexpr int kLastCompared = 295;  // of retG; nearer pairs share chunks
constexpr int kSettledFrame = 48;   // of walk
constexpr int kWindowFrames = 16;

std::vector<Action> SpinActions(bool off) {
  std::vector<Action> actions(kSpinFrames, Action::kLeft);
  if (off) {
    actions[kSpinTrueChunks * kFramesPerChunk] = Action::kIdle;
    actions[kSpinTrueChunks * kFramesPerChunk + 1] = Action::kIdle;
  }
  return actions;
}

// The PSNR of (B,F,...) pictures in [-1, 1], its mean over episodes by frame
// into the result's windows and its mean over all.
void SetPsnr(const at::Tensor& a, const at::Tensor& b, QualityResult* result) {
  const at::Tensor error = (a.to(at::kFloat) - b.to(at::kFloat))
                               .square()
                               .flatten(2)
                               .mean(-1)
                               .clamp_min(1e-10);
  const at::Tensor by_frame = (10 * (4 / error).log10()).mean(0);
  result->psnr_db = by_frame.mean().item<double>();
  for (const at::Tensor& window : by_frame.split(kWindowFrames)) {
    result->window_psnr_db.push_back(window.mean().item<double>());
  }
}

double MeanEdge(const at::Tensor& frames) {
  const at::Tensor step = (frames.narrow(3, 1, kFrameSize - 1) -
                           frames.narrow(3, 0, kFrameSize - 1))
                              .abs()
                              .flatten(2);
  const int64_t rank = step.size(-1) * 99 / 100;
  double sum = 0;
  for (const at::Tensor& episode : step.unbind(0)) {
    sum += std::get<0>(episode.kthvalue(rank, -1)).mean().item<double>();
  }
  return sum / static_cast<double>(step.size(0));
}

double MeanSaturation(const at::Tensor& frames) {
  return (frames.amax(-1) - frames.amin(-1)).mean().item<double>();
}

}  // namespace

absl::StatusOr<QualityTest> ParseQualityTest(absl::string_view name) {
  if (name == "spin") return QualityTest::kSpin;
  if (name == "spinoff") return QualityTest::kSpinOff;
  if (name == "retT") return QualityTest::kRetT;
  if (name == "retG") return QualityTest::kRetG;
  if (name == "walk") return QualityTest::kWalk;
  return absl::InvalidArgumentError(absl::StrCat(
      "test: '", name, "' is none of spin, spinoff, retT, retG, walk"));
}

Episode QualityEpisode(QualityTest test, uint64_t seed) {
  Random random(seed);
  const Maze maze = MakeMaze(random.Next());
  switch (test) {
    case QualityTest::kSpin:
      return Play(maze, SpinActions(false));
    case QualityTest::kSpinOff:
      return Play(maze, SpinActions(true));
    case QualityTest::kWalk:
      return Play(maze, WalkActions(kReturnFrames, random));
    case QualityTest::kRetT:
    case QualityTest::kRetG:
      break;
  }
  return ThereAndBack(Play(maze, WalkActions(kWayOut, random)), kWayOut,
                      kReturnFrames);
}

int FirstGeneratedChunk(QualityTest test) {
  switch (test) {
    case QualityTest::kSpin:
    case QualityTest::kSpinOff:
      return kSpinTrueChunks;
    case QualityTest::kRetT:
      return kWayOut / kFramesPerChunk;
    case QualityTest::kRetG:
    case QualityTest::kWalk:
      break;
  }
  return kPrimedChunks;
}

PlayedEpisodes PlayEpisodes(QualityTest test, const Batch& batch,
                            WorldPlayer& player) {
  const int64_t chunks = batch.poses.size(1) / kFramesPerChunk;
  PlayedEpisodes played;
  played.truth = RenderBatch(batch).view({-1, chunks, kTokens, kTokenValues});
  std::vector<at::Tensor> tokens;
  for (int64_t i = 0; i < chunks; ++i) {
    tokens.push_back(i < FirstGeneratedChunk(test) ? played.truth.select(1, i)
                                                   : player.Sample());
    player.Commit(tokens.back());
  }
  played.tokens = at::stack(tokens, 1);
  return played;
}

QualityResult Measure(QualityTest test, const PlayedEpisodes& played) {
  const at::Tensor made = ToFrames(played.tokens);
  const at::Tensor truth = ToFrames(played.truth);
  QualityResult result;
  switch (test) {
    case QualityTest::kSpin:
    case QualityTest::kSpinOff:
    case QualityTest::kRetT: {
      const int64_t first =
          int64_t{FirstGeneratedChunk(test)} * kFramesPerChunk;
      SetPsnr(made.slice(1, first), truth.slice(1, first), &result);
      break;
    }
    case QualityTest::kRetG: {
      const at::Tensor back = made.slice(1, kWayOut, kLastCompared + 1);
      const at::Tensor out =
          made.slice(1, kReturnFrames - 1 - kLastCompared, kWayOut).flip(1);
      SetPsnr(back, out, &result);
      break;
    }
    case QualityTest::kWalk: {
      const at::Tensor late = made.slice(1, kSettledFrame);
      const at::Tensor late_truth = truth.slice(1, kSettledFrame);
      result.edge = MeanEdge(late) / MeanEdge(late_truth);
      result.saturation = MeanSaturation(late) / MeanSaturation(late_truth);
      break;
    }
  }
  return result;
}

at::Tensor ToFrames(const at::Tensor& tokens) {
  const int64_t worlds = tokens.size(0);
  return tokens
      .view({worlds, -1, kPairs, kPatches, kPatches, kFramesPerToken, kPatch,
             kPatch, 3})
      .permute({0, 1, 2, 5, 3, 6, 4, 7, 8})
      .reshape({worlds, -1, kFrameSize, kFrameSize, 3});
}

}  // namespace qvg::tinyworld
