#ifndef CLIENT_PLAY_H_
#define CLIENT_PLAY_H_

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/client.h"
#include "client/interrupt.h"
#include "client/play_summary.h"
#include "qvg/v1/types.pb.h"

namespace qvg {

// What `qvg play` was asked for.
struct PlayOptions {
  std::string model;
  std::string prompt;
  uint64_t seed = 0;
  uint32_t steps = 0;
  // Unset: the model's default.
  std::optional<v1::CacheSpec> codec;
  // Unset: a tour, for models that walk.
  std::optional<std::string> script;
  uint64_t frames = 160;
  v1::OutputFormat format = v1::OUTPUT_FORMAT_H264_FMP4;
  // Chunks that the server may be ahead.
  int credit = 4;
  std::string out;
  std::string sheet;
  int sheet_frames = 20;
};

// The script of `qvg play` for models with the controls forward, left and
// right.
inline constexpr char kTourScript[] =
    "forward*16,left*32,forward*24,right*8,forward*24,right*32,forward*24";

// Runs one session from start to end: frames rounded up to whole chunks, the
// script sent before the first credit, so that the same options give the same
// frames. Writes options.out and options.sheet and shows progress on
// `progress` (null: none). The first interrupt ends the session in order, the
// second at once; what came before is kept.
absl::StatusOr<PlaySummary> Play(Client& client, const PlayOptions& options,
                                 InterruptWatcher& interrupts, FILE* progress);

}  // namespace qvg

#endif  // CLIENT_PLAY_H_
