#ifndef CLIENT_PLAY_SUMMARY_H_
#define CLIENT_PLAY_SUMMARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "client/progress.h"
#include "client/session.h"

namespace qvg {

// What `qvg play` measured.
struct PlaySummary {
  std::string model;
  std::string codec;
  uint64_t seed = 0;
  uint32_t steps = 0;
  uint32_t width = 0;
  uint32_t height = 0;

  uint64_t frames = 0;
  // From the start message to the last chunk, and to the first one.
  double seconds = 0;
  double first_frame_s = 0;
  // Between arrivals; the first one counts from the first credit.
  std::vector<double> chunk_s;
  // The history after the last chunk.
  uint64_t cache_bytes_bf16 = 0;
  uint64_t cache_bytes = 0;
  double packed_span_ratio = 0;
  double whole_session_ratio = 0;
  uint64_t deadlines_met = 0;
  uint64_t deadlines_missed = 0;
  uint64_t deadlines_infeasible = 0;
  // The chunks' frames_sha256, one after the other.
  std::string chunk_hashes;

  std::string out;
  std::string sheet;
  bool interrupted = false;

  // Counts a chunk that arrived `at` seconds after the start message and
  // `since_last` seconds after the one before.
  void Add(const v1::ChunkDone& done, double at, double since_last);

  double Fps() const { return seconds > 0 ? frames / seconds : 0; }
  double CacheRatio() const;
  // SHA-256 over chunk_hashes, in hexadecimal digits.
  std::string FramesHash() const;
  Progress ProgressOf(uint64_t total_frames) const;
};

// One JSON object on one line, keys as in the help of `qvg play`.
std::string ToJson(const PlaySummary& summary);

// A few lines for people.
std::string ToText(const PlaySummary& summary);

}  // namespace qvg

#endif  // CLIENT_PLAY_SUMMARY_H_
