#ifndef SERVER_GENERATOR_VIDEO_MODEL_H_
#define SERVER_GENERATOR_VIDEO_MODEL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cache/cache_spec.h"
#include "cache/kv_layout.h"
#include "cache/session_state.h"
#include "kernels/executor.h"

namespace qvg {

struct ControlInfo {
  std::string name;
  int values = 0;
  std::string description;
};

// What a model is. Constant over its life.
struct ModelInfo {
  std::string name;
  std::string description;
  int width = 0;
  int height = 0;
  int fps_numerator = 0;
  int fps_denominator = 1;
  int frames_per_chunk = 0;
  int default_steps = 0;
  int max_steps = 0;
  bool takes_prompt = false;
  std::vector<ControlInfo> controls;  // controls[0] is idle
  KvLayout layout;
  std::vector<std::string> codecs;  // that sessions may ask for
  CacheSpec default_cache_spec;
  // Names the weights: part of every prefix key.
  std::string fingerprint;
  // What it runs on, for people: "cpu (AVX2, 2 threads)".
  std::string device;
  // Where its sessions keep keys and values.
  kernels::MemorySpace memory;
  // Jobs that one Advance runs at once, for little more than the time of one.
  int jobs_at_once = 1;
};

// Upper bounds of what a session takes from pools, rounding included
// (MemoryPool::ReservationFor).
struct SessionBytes {
  int64_t cache = 0;  // of a pool in ModelInfo::memory
  int64_t host = 0;   // of the host's pool beside it; 0 if it is the host's
};

// What a session asks of a model. Empty or 0 means the model's default until
// VideoModel::Resolve has filled it in.
struct SessionSpec {
  std::string prompt;
  uint64_t seed = 0;
  CacheSpec cache_spec;
  int steps = 0;
  int max_chunks = 0;
};

// The control of one frame.
struct FrameControl {
  int control = 0;  // index into ModelInfo::controls
  std::vector<float> values;

  bool operator==(const FrameControl&) const = default;
};

// What shapes one chunk. Same inputs so far, same spec: same frames.
struct ChunkInputs {
  std::vector<FrameControl> frames;  // frames_per_chunk of them
  std::string prompt;                // set when it changes with this chunk
  bool prompt_changed = false;
};

struct StageSeconds {
  double denoise = 0;
  double kv_commit = 0;
  double pack = 0;
  double decode = 0;
};

// One chunk of one session. `status` and what follows are outputs; the times of
// what jobs do at once are those of all of them.
struct ChunkJob {
  SessionState* state = nullptr;
  const ChunkInputs* inputs = nullptr;
  // Checked between denoise steps; ends the job with CANCELLED. May be null.
  const std::atomic<bool>* cancelled = nullptr;

  absl::Status status;
  std::vector<uint8_t> rgb;  // [frames,height,width,3]
  StageSeconds stages;
};

// An autoregressive generator. One thread at a time calls Open and Advance;
// the const methods are free to all threads at any time and never wait.
class VideoModel {
 public:
  virtual ~VideoModel() = default;

  virtual const ModelInfo& info() const = 0;

  // `spec` with every default filled in: what a session of it runs with.
  // INVALID_ARGUMENT, or NOT_FOUND for an unknown codec, names field, value
  // and limit of a spec that cannot run. max_chunks must be set.
  virtual absl::StatusOr<SessionSpec> Resolve(
      const SessionSpec& spec) const = 0;

  // What a session of this resolved spec ever holds.
  virtual SessionBytes BytesOf(const SessionSpec& spec) const = 0;

  // The state before chunk 0 of a resolved spec. All of its memory comes from
  // the two reservations, which must hold BytesOf(spec).
  virtual absl::StatusOr<std::unique_ptr<SessionState>> Open(
      const SessionSpec& spec, Reservation cache, Reservation host) = 0;

  // Advances every job, of different sessions, by one chunk. A job fails alone,
  // its state then as it was before, and its result never depends on its
  // neighbours.
  virtual void Advance(absl::Span<ChunkJob> jobs) = 0;
};

}  // namespace qvg

#endif  // SERVER_GENERATOR_VIDEO_MODEL_H_
