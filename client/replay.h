#ifndef CLIENT_REPLAY_H_
#define CLIENT_REPLAY_H_

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/client.h"
#include "client/interrupt.h"
#include "client/progress.h"
#include "qvg/v1/recording.pb.h"

namespace qvg {

// A session as `qvgd --record` wrote it.
struct Recording {
  v1::RecordingHeader header;
  std::vector<v1::RecordedChunk> chunks;
  // Unset: the session was cut off.
  std::optional<v1::RecordingEnd> end;
};

// Reads JSON lines of v1::RecordingLine; unknown fields are ignored.
// INVALID_ARGUMENT names the line at fault.
absl::StatusOr<Recording> ReadRecording(std::istream& lines);

struct ReplayResult {
  uint64_t chunks = 0;  // compared
  // The first chunk whose frames differ; nothing after it was compared.
  std::optional<uint64_t> first_difference;
  std::string recorded_sha256;
  std::string replayed_sha256;
};

// Runs the recorded inputs again, one chunk at a time, and compares the
// frames. `bar` may be null.
absl::StatusOr<ReplayResult> Replay(Client& client, const Recording& recording,
                                    InterruptWatcher& interrupts,
                                    ProgressBar* bar);

}  // namespace qvg

#endif  // CLIENT_REPLAY_H_
