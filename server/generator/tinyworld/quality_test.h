#ifndef SERVER_GENERATOR_TINYWORLD_QUALITY_TEST_H_
#define SERVER_GENERATOR_TINYWORLD_QUALITY_TEST_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/generator/tinyworld/batch.h"
#include "server/generator/tinyworld/episode.h"
#include "server/generator/tinyworld/world_player.h"

namespace qvg::tinyworld {

// What a world must show after it has been seen, or made up.
enum class QualityTest {
  kSpin,     // left turns; the circle returns every 32 frames
  kSpinOff,  // the same, two frames out of step with the chunks
  kRetT,     // a true walk out, the way back generated
  kRetG,     // both generated: does the way back repeat the way out?
  kWalk,     // a generated walk: does it stay sharp and colourful?
};

// "spin", "spinoff", "retT", "retG" or "walk".
absl::StatusOr<QualityTest> ParseQualityTest(absl::string_view name);

// The episode of a test, pure in `seed`.
Episode QualityEpisode(QualityTest test, uint64_t seed);

// Chunks before this one are the simulator's.
int FirstGeneratedChunk(QualityTest test);

// Statistics of B episodes of F frames that were played, frame by frame.
struct PlayedEpisodes {
  at::Tensor tokens;  // (B,F/4,128,1536)
  at::Tensor truth;   // the same, by the simulator
};

// Runs the episodes of `batch` (on the player's device) through.
PlayedEpisodes PlayEpisodes(QualityTest test, const Batch& batch,
                            WorldPlayer& player);

struct QualityResult {
  double psnr_db = 0;                  // of the test's pairs of frames; walk: 0
  std::vector<double> window_psnr_db;  // the same by 16 frames
  double edge = 0;        // 99th percentile of |horizontal step|, generated /
                          // simulator, frames 48-303 of walk; else 0
  double saturation = 0;  // mean of max - min channel, likewise
};
QualityResult Measure(QualityTest test, const PlayedEpisodes& played);

// (B,C,128,1536) as pictures (B,4C,128,128,3).
at::Tensor ToFrames(const at::Tensor& tokens);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_QUALITY_TEST_H_
