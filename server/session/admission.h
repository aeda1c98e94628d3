#ifndef SERVER_SESSION_ADMISSION_H_
#define SERVER_SESSION_ADMISSION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/generator/video_model.h"
#include "server/media/media_encoder.h"
#include "server/scheduler/task.h"
#include "server/session/limits.h"
#include "server/session/messages.h"

namespace qvg {

// What a session will run with and what has to be set aside for it.
struct SessionPlan {
  SessionSpec spec;  // resolved
  MediaSpec media;
  TaskParams task;
  SessionBytes model_bytes;  // upper bound of the model's state
  int64_t own_bytes = 0;     // ... of inputs, raw frames and media

  int64_t host_bytes() const { return model_bytes.host + own_bytes; }
};

// Playback time of one chunk.
absl::Duration ChunkDuration(const ModelInfo& model);

// Checks a request against model and limits. NOT_FOUND names an unknown model
// or codec; INVALID_ARGUMENT field, value and limit of whatever else is wrong.
absl::StatusOr<SessionPlan> PlanSession(const StartRequest& request,
                                        const VideoModel& model,
                                        const SessionLimits& limits);

}  // namespace qvg

#endif  // SERVER_SESSION_ADMISSION_H_
