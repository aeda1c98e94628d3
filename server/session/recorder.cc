#include "server/session/recorder.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "server/log/log.h"

namespace qvg {
namespace {

// `text` as a JSON string.
std::string Quote(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

template <typename T>
std::string Field(absl::string_view name, const T& value) {
  return absl::StrCat("\"", name, "\":", value);
}

// ProtoJSON writes 64-bit integers as strings.
std::string Field64(absl::string_view name, uint64_t value) {
  return Field(name, absl::StrCat("\"", value, "\""));
}

std::string Object(const std::vector<std::string>& fields) {
  return absl::StrCat("{", absl::StrJoin(fields, ","), "}");
}

std::string SpecJson(const CacheSpec& spec) {
  std::vector<std::string> fields = {Field("codec", Quote(spec.codec))};
  const struct {
    const char* name;
    int value, lowest;
  } numbers[] = {{"bits", spec.bits, 1},
                 {"block", spec.block, 1},
                 {"centroids", spec.centroids, 1},
                 {"stages", spec.stages, 1},
                 {"iterations", spec.iterations, 1},
                 {"spanChunks", spec.span_chunks, 1},
                 {"tailChunks", spec.tail_chunks, 0},
                 {"sinkChunks", spec.sink_chunks, 0}};
  for (const auto& [name, value, lowest] : numbers) {
    if (value >= lowest) fields.push_back(Field(name, value));
  }
  fields.push_back(Field("unpacked", spec.unpacked == ElementType::kF32
                                         ? "\"ELEMENT_TYPE_F32\""
                                         : "\"ELEMENT_TYPE_BF16\""));
  return Object(fields);
}

std::string HeaderJson(const std::string& name,
                       absl::string_view server_version, const ModelInfo& model,
                       const SessionPlan& plan) {
  const SessionSpec& spec = plan.spec;
  const std::string start =
      Object({Field("model", Quote(model.name)),
              Field("prompt", Quote(spec.prompt)), Field64("seed", spec.seed),
              Field("cacheSpec", SpecJson(spec.cache_spec)),
              Field("steps", spec.steps), Field("maxChunks", spec.max_chunks)});
  return Object({Field("version", 1), Field("sessionId", Quote(name)),
                 Field("serverVersion", Quote(server_version)),
                 Field("device", Quote(model.device)),
                 Field("modelFingerprint", Quote(model.fingerprint)),
                 Field("start", start),
                 Field("framesPerChunk", model.frames_per_chunk),
                 Field("width", model.width), Field("height", model.height)});
}

// Equal controls side by side become one.
std::string ControlsJson(const ModelInfo& model,
                         const std::vector<FrameControl>& frames) {
  std::vector<std::string> runs;
  for (size_t begin = 0, end = 0; begin < frames.size(); begin = end) {
    while (end < frames.size() && frames[end] == frames[begin]) ++end;
    const FrameControl& control = frames[begin];
    std::vector<std::string> fields = {
        Field("name", Quote(model.controls[control.control].name)),
        Field("frames", end - begin)};
    if (!control.values.empty()) {
      const auto digits = [](std::string* out, float value) {
        absl::StrAppendFormat(out, "%.9g", value);
      };
      fields.push_back(Field(
          "values",
          absl::StrCat("[", absl::StrJoin(control.values, ",", digits), "]")));
    }
    runs.push_back(Object(fields));
  }
  return absl::StrCat("[", absl::StrJoin(runs, ","), "]");
}

const char* ReasonJson(EndReason reason) {
  switch (reason) {
    case EndReason::kStopped:
      return "\"ENDED_REASON_STOPPED\"";
    case EndReason::kCompleted:
      return "\"ENDED_REASON_COMPLETED\"";
    case EndReason::kClosed:
      return "\"ENDED_REASON_CLOSED\"";
    case EndReason::kDraining:
      return "\"ENDED_REASON_DRAINING\"";
    case EndReason::kTooOld:
    case EndReason::kIdle:
      return "\"ENDED_REASON_EXPIRED\"";
    case EndReason::kWriteStalled:
    case EndReason::kFailed:
      break;
  }
  return "\"ENDED_REASON_FAILED\"";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Recorder>> Recorder::Create(
    const std::string& dir, const std::string& name,
    absl::string_view server_version, const ModelInfo& model,
    const SessionPlan& plan) {
  auto recorder = std::unique_ptr<Recorder>(
      new Recorder(absl::StrCat(dir, "/", name, ".jsonl"), &model));
  recorder->WriteLine(
      Object({Field("header", HeaderJson(name, server_version, model, plan))}));
  if (!recorder->file_.is_open()) {
    return absl::UnavailableError(
        absl::StrCat("record: cannot write ", recorder->path_));
  }
  return recorder;
}

void Recorder::Chunk(int64_t chunk, const ChunkInputs& inputs,
                     const Sha256Digest& frames) {
  std::vector<std::string> fields = {
      Field64("chunkIndex", chunk),
      Field("controls", ControlsJson(*model_, inputs.frames))};
  if (inputs.prompt_changed) {
    fields.push_back(Field("prompt", Quote(inputs.prompt)));
  }
  fields.push_back(Field("framesSha256", Quote(Hex(frames))));
  WriteLine(Object({Field("chunk", Object(fields))}));
}

void Recorder::End(EndReason reason, int64_t chunks) {
  WriteLine(Object({Field("end", Object({Field("reason", ReasonJson(reason)),
                                         Field64("chunks", chunks)}))}));
}

void Recorder::WriteLine(const std::string& line) {
  if (!file_.is_open()) return;
  file_ << line << '\n' << std::flush;
  if (file_) return;
  LogWarning("record: giving up ", path_, ", which cannot be written");
  file_.close();
}

}  // namespace qvg
