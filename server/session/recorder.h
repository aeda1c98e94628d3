#ifndef SERVER_SESSION_RECORDER_H_
#define SERVER_SESSION_RECORDER_H_

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cache/sha256.h"
#include "server/generator/video_model.h"
#include "server/scheduler/task.h"
#include "server/session/admission.h"

namespace qvg {

// Writes the inputs of one session and the hashes of its frames as lines of
// JSON (recording.md). A file that cannot be written is given up with one log
// line. Thread-compatible.
class Recorder {
 public:
  // Creates `dir`/`name`.jsonl and writes the header. UNAVAILABLE if that
  // fails.
  static absl::StatusOr<std::unique_ptr<Recorder>> Create(
      const std::string& dir, const std::string& name,
      absl::string_view server_version, const ModelInfo& model,
      const SessionPlan& plan);

  void Chunk(int64_t chunk, const ChunkInputs& inputs,
             const Sha256Digest& frames);
  void End(EndReason reason, int64_t chunks);

 private:
  Recorder(std::string path, const ModelInfo* model)
      : path_(std::move(path)), model_(model), file_(path_) {}

  void WriteLine(const std::string& line);

  std::string path_;
  const ModelInfo* model_;
  std::ofstream file_;
};

}  // namespace qvg

#endif  // SERVER_SESSION_RECORDER_H_
