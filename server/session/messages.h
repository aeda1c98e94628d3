#ifndef SERVER_SESSION_MESSAGES_H_
#define SERVER_SESSION_MESSAGES_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "cache/kv_cache.h"
#include "cache/pool/memory_pool.h"
#include "cache/sha256.h"
#include "server/generator/video_model.h"
#include "server/media/media_encoder.h"
#include "server/scheduler/task.h"
#include "server/session/limits.h"

namespace qvg {

// What goes in and out of a session, free of any wire format. The meaning of
// every field is in proto/qvg/v1/session.proto.

struct StartRequest {
  std::string model;
  SessionSpec spec;  // defaults not filled in
  MediaFormat format = MediaFormat::kH264Fmp4;
  int64_t first_credit = 0;
};

// A control, held for some frames.
struct ControlRun {
  std::string name;
  int64_t frames = 0;
  std::vector<float> values;
};

struct ActionRequest {
  uint64_t event_id = 0;
  std::vector<ControlRun> controls;
  std::optional<uint64_t> start_frame;
  bool replace = false;
};

struct PromptRequest {
  uint64_t event_id = 0;
  std::string text;
};

struct Started {
  std::string session_id;
  const ModelInfo* model = nullptr;  // lives as long as the server
  SessionSpec spec;                  // defaults filled in
  MediaFormat format = MediaFormat::kH264Fmp4;
  SessionLimits limits;
  int64_t reserved_bytes = 0;
};

struct Receipt {
  enum class State { kReceived, kApplied, kRejected };
  uint64_t event_id = 0;
  State state = State::kReceived;
  int64_t chunk = 0;   // kApplied
  std::string reason;  // kRejected
};

struct Pong {
  uint64_t nonce = 0;
};

// A piece of media. `data` is valid until it has been written.
struct MediaPart {
  int64_t chunk = 0;
  int part = 0;
  bool last = false;
  bool init_segment = false;
  int frame_index = 0;
  absl::Span<const uint8_t> data;
};

// Bytes that a session holds, by BytesKind.
using KindBytes = std::array<int64_t, kBytesKinds>;

struct ChunkReport {
  int64_t chunk = 0;
  int64_t first_frame = 0;
  int frames = 0;
  absl::Duration queue;
  StageSeconds stages;
  absl::Duration encode;
  DeadlineVerdict deadline;
  KindBytes held{};
  HistoryBytes history;
  double whole_session_ratio = 0;
  Sha256Digest frames_sha256{};
};

struct Ended {
  EndReason reason = EndReason::kStopped;
  int64_t chunks = 0;
  int64_t frames = 0;
  std::string detail;
};

using Message =
    std::variant<Started, Receipt, Pong, MediaPart, ChunkReport, Ended>;

}  // namespace qvg

#endif  // SERVER_SESSION_MESSAGES_H_
