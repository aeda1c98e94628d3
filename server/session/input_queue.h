#ifndef SERVER_SESSION_INPUT_QUEUE_H_
#define SERVER_SESSION_INPUT_QUEUE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cache/pool/memory_pool.h"
#include "server/generator/video_model.h"
#include "server/session/event_ids.h"
#include "server/session/limits.h"
#include "server/session/messages.h"

namespace qvg {

// The controls and the prompt that wait for generation, frame by frame.
// Receipts of what becomes of events are appended to `receipts`.
// Thread-compatible.
class InputQueue {
 public:
  // Bytes that the controls of `limits.max_pending_frames` frames take.
  static int64_t Bytes(const ModelInfo& model, const SessionLimits& limits);

  // `memory` has Bytes(); `model` outlives the queue.
  InputQueue(const ModelInfo* model, const SessionLimits& limits,
             PoolBuffer memory);

  // Queues controls. INVALID_ARGUMENT, ALREADY_EXISTS or RESOURCE_EXHAUSTED
  // names field, value and limit; nothing has changed then.
  absl::Status AddAction(const ActionRequest& action,
                         std::vector<Receipt>* receipts);

  // Sets the prompt of the next chunk. Errors as above.
  absl::Status SetPrompt(const PromptRequest& prompt,
                         std::vector<Receipt>* receipts);

  // The inputs of chunk `chunk`, the next one: controls that wait, then idle.
  ChunkInputs Take(int64_t chunk, std::vector<Receipt>* receipts);

  // Rejects all that waits.
  void RejectAll(absl::string_view reason, std::vector<Receipt>* receipts);

  int64_t pending_frames() const { return size_; }

 private:
  struct Frame {
    uint64_t event_id;  // 0: filled in
    int32_t control;    // index into ModelInfo::controls
  };
  // Where an action goes: behind the first `keep` frames, after `gap` idle
  // ones.
  struct Place {
    int64_t keep = 0;
    int64_t gap = 0;
  };

  absl::Status CheckControls(const ActionRequest& action,
                             std::vector<int>* controls, int64_t* frames) const;
  absl::Status FindPlace(const ActionRequest& action, int64_t frames,
                         Place* place) const;
  void Truncate(int64_t size, absl::string_view reason,
                std::vector<Receipt>* receipts);
  void Append(uint64_t event_id, int control, absl::Span<const float> values);
  void DropFront(int64_t frames);

  const ModelInfo* model_;
  int max_frames_;
  int max_prompt_bytes_;
  int values_per_frame_;
  PoolBuffer memory_;
  absl::Span<Frame> frames_;  // of max_frames_
  absl::Span<float> values_;  // [max_frames_,values_per_frame_]
  int64_t size_ = 0;
  int64_t next_frame_ = 0;  // first that is not taken
  uint64_t applied_ = 0;    // newest event that has frames taken
  std::optional<PromptRequest> prompt_;
  EventIds event_ids_;
};

}  // namespace qvg

#endif  // SERVER_SESSION_INPUT_QUEUE_H_
