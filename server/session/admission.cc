#include "server/session/admission.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "cache/pool/memory_pool.h"
#include "server/session/input_queue.h"

namespace qvg {
namespace {

// Chunks between generator and outbox (Task::runnable): while the outbox is
// below its limit, that many may still come on top.
constexpr int64_t kChunksUnderWay = 2;

int64_t RawChunkBytes(const ModelInfo& model) {
  return int64_t{3} * model.width * model.height * model.frames_per_chunk;
}

// The most that an encoder makes of a chunk: no format is larger than the raw
// frames but for headers.
int64_t MediaChunkBytes(const ModelInfo& model) {
  return RawChunkBytes(model) + (int64_t{64} << 10);
}

absl::Status CheckRequest(const StartRequest& request, const ModelInfo& model,
                          const SessionLimits& limits) {
  const SessionSpec& spec = request.spec;
  if (!request.model.empty() && request.model != model.name) {
    return absl::NotFoundError(
        absl::StrCat("start.model: \"", request.model.substr(0, 64),
                     "\" is unknown, this server has \"", model.name, "\""));
  }
  if (spec.prompt.size() > limits.max_prompt_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("start.prompt: ", spec.prompt.size(),
                     " bytes, the limit is ", limits.max_prompt_bytes));
  }
  if (!spec.prompt.empty() && !model.takes_prompt) {
    return absl::InvalidArgumentError(absl::StrCat(
        "start.prompt: model \"", model.name, "\" takes no prompt"));
  }
  const struct {
    const char* name;
    int64_t value, limit;
  } bounds[] = {
      {"start.steps", spec.steps, model.max_steps},
      {"start.max_chunks", spec.max_chunks, limits.max_chunks},
      {"start.first_credit", request.first_credit, limits.max_credit_chunks}};
  for (const auto& [name, value, limit] : bounds) {
    if (value >= 0 && value <= limit) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": ", value, " is over the limit of ", limit));
  }
  if (!MediaFormatSupported(request.format)) {
    return absl::InvalidArgumentError(
        "start.output_format: this build of the server encodes raw RGB only");
  }
  return absl::OkStatus();
}

MediaSpec PlanMedia(const StartRequest& request, const ModelInfo& model) {
  MediaSpec media;
  media.format = request.format;
  media.width = model.width;
  media.height = model.height;
  media.fps_numerator = model.fps_numerator;
  media.fps_denominator = model.fps_denominator;
  return media;
}

TaskParams PlanTask(const SessionSpec& spec, const ModelInfo& model,
                    const SessionLimits& limits) {
  TaskParams task;
  task.chunk_duration = ChunkDuration(model);
  task.max_chunks = spec.max_chunks;
  task.max_credit = limits.max_credit_chunks;
  task.max_outbox_chunks = limits.max_outbox_chunks;
  task.max_outbox_bytes =
      std::min(limits.max_outbox_bytes,
               limits.max_outbox_chunks * MediaChunkBytes(model));
  return task;
}

int64_t OwnBytes(const ModelInfo& model, const SessionLimits& limits,
                 const TaskParams& task) {
  const int64_t chunks = task.max_outbox_chunks + kChunksUnderWay;
  const int64_t media =
      task.max_outbox_bytes + kChunksUnderWay * MediaChunkBytes(model);
  const int64_t raw = kChunksUnderWay * RawChunkBytes(model);
  const int64_t buffers = 1 + chunks * model.frames_per_chunk + kChunksUnderWay;
  return MemoryPool::ReservationFor(InputQueue::Bytes(model, limits)) +
         MemoryPool::ReservationFor(media + raw, buffers);
}

}  // namespace

absl::Duration ChunkDuration(const ModelInfo& model) {
  return absl::Seconds(model.frames_per_chunk) * model.fps_denominator /
         model.fps_numerator;
}

absl::StatusOr<SessionPlan> PlanSession(const StartRequest& request,
                                        const VideoModel& model,
                                        const SessionLimits& limits) {
  const absl::Status status = CheckRequest(request, model.info(), limits);
  if (!status.ok()) return status;
  SessionSpec spec = request.spec;
  if (spec.max_chunks == 0) spec.max_chunks = limits.max_chunks;
  absl::StatusOr<SessionSpec> resolved = model.Resolve(spec);
  if (!resolved.ok()) return resolved.status();
  SessionPlan plan;
  plan.spec = *std::move(resolved);
  plan.media = PlanMedia(request, model.info());
  plan.task = PlanTask(plan.spec, model.info(), limits);
  plan.model_bytes = model.BytesOf(plan.spec);
  plan.own_bytes = OwnBytes(model.info(), limits, plan.task);
  return plan;
}

}  // namespace qvg
