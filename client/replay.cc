#include "client/replay.h"

#include <chrono>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/session.h"
#include "google/protobuf/util/json_util.h"

namespace qvg {
namespace {

constexpr uint32_t kVersion = 1;

absl::StatusOr<v1::RecordingLine> ParseLine(const std::string& text) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  v1::RecordingLine line;
  const auto status =
      google::protobuf::util::JsonStringToMessage(text, &line, options);
  if (status.ok()) return line;
  return absl::InvalidArgumentError(absl::StrCat(
      "not a line of a recording: ", std::string(status.message())));
}

absl::Status AddHeader(v1::RecordingHeader header, Recording* recording) {
  if (recording->header.version() != 0) {
    return absl::InvalidArgumentError("a second header");
  }
  if (header.version() != kVersion) {
    return absl::InvalidArgumentError(absl::StrCat(
        "version is ", header.version(), "; this qvg reads ", kVersion));
  }
  if (header.frames_per_chunk() == 0) {
    return absl::InvalidArgumentError("frames_per_chunk is 0");
  }
  recording->header = std::move(header);
  return absl::OkStatus();
}

absl::Status AddChunk(v1::RecordedChunk chunk, Recording* recording) {
  if (chunk.chunk_index() != recording->chunks.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("chunk_index is ", chunk.chunk_index(), "; expected ",
                     recording->chunks.size()));
  }
  recording->chunks.push_back(std::move(chunk));
  return absl::OkStatus();
}

absl::Status AddLine(const std::string& text, Recording* recording) {
  absl::StatusOr<v1::RecordingLine> line = ParseLine(text);
  if (!line.ok()) return line.status();
  if (line->has_header()) {
    return AddHeader(std::move(*line->mutable_header()), recording);
  }
  if (recording->header.version() == 0) {
    return absl::InvalidArgumentError("the first line is no header");
  }
  if (line->has_chunk()) {
    return AddChunk(std::move(*line->mutable_chunk()), recording);
  }
  if (line->has_end()) recording->end = std::move(*line->mutable_end());
  return absl::OkStatus();
}

// What shaped chunk `chunk`, then credit for it.
void SendChunk(const v1::RecordedChunk& chunk, uint32_t frames_per_chunk,
               Session& session) {
  if (chunk.has_prompt()) {
    v1::Prompt prompt;
    prompt.set_event_id(2 * chunk.chunk_index() + 1);
    prompt.set_text(chunk.prompt());
    session.Send(prompt);
  }
  if (chunk.controls_size() > 0) {
    v1::Action action;
    action.set_event_id(2 * chunk.chunk_index() + 2);
    action.set_start_frame(chunk.chunk_index() * frames_per_chunk);
    *action.mutable_controls() = chunk.controls();
    session.Send(action);
  }
  session.SendCredit(1);
}

// Waits for the next chunk's frames_sha256, in hexadecimal digits.
absl::StatusOr<std::string> NextHash(Session& session, Progress* progress) {
  for (;;) {
    absl::StatusOr<SessionEvent> event = session.Next();
    if (!event.ok()) return event.status();
    if (const auto* chunk = std::get_if<Chunk>(&*event)) {
      progress->frames += chunk->done.frames();
      progress->cache_bytes = chunk->done.history_bytes();
      progress->cache_bytes_bf16 = chunk->done.history_bf16_bytes();
      return absl::BytesToHexString(chunk->done.frames_sha256());
    }
    if (const auto* receipt = std::get_if<v1::Receipt>(&*event)) {
      if (receipt->state() != v1::RECEIPT_STATE_REJECTED) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("recorded input was rejected: ", receipt->reason()));
    }
    if (const auto* ended = std::get_if<v1::Ended>(&*event)) {
      return absl::AbortedError(absl::StrCat(
          "the server ended the session (",
          v1::EndedReason_Name(ended->reason()), ") ", ended->detail()));
    }
  }
}

absl::StatusOr<ReplayResult> RunChunks(const Recording& recording,
                                       Session& session, ProgressBar* bar) {
  const auto start = std::chrono::steady_clock::now();
  Progress progress;
  const uint32_t per_chunk = recording.header.frames_per_chunk();
  progress.total_frames = recording.chunks.size() * per_chunk;
  ReplayResult result;
  for (const v1::RecordedChunk& chunk : recording.chunks) {
    SendChunk(chunk, per_chunk, session);
    absl::StatusOr<std::string> hash = NextHash(session, &progress);
    if (!hash.ok()) return hash.status();
    ++result.chunks;
    progress.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
    if (bar != nullptr) bar->Update(progress);
    if (absl::AsciiStrToLower(chunk.frames_sha256()) == *hash) continue;
    result.first_difference = chunk.chunk_index();
    result.recorded_sha256 = chunk.frames_sha256();
    result.replayed_sha256 = *hash;
    break;
  }
  session.SendStop();
  return result;
}

}  // namespace

absl::StatusOr<Recording> ReadRecording(std::istream& lines) {
  Recording recording;
  std::string text;
  for (int number = 1; std::getline(lines, text); ++number) {
    if (text.empty()) continue;
    absl::Status status = AddLine(text, &recording);
    if (status.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("line ", number, ": ", status.message()));
  }
  if (recording.header.version() != 0) return recording;
  return absl::InvalidArgumentError("the recording is empty");
}

absl::StatusOr<ReplayResult> Replay(Client& client, const Recording& recording,
                                    InterruptWatcher& interrupts,
                                    ProgressBar* bar) {
  v1::Start start = recording.header.start();
  start.set_first_credit(0);
  // Raw frames, so that their hash is checked against what was received.
  start.set_output_format(v1::OUTPUT_FORMAT_RAW_RGB24);
  auto session = Session::Open(client, start);
  if (!session.ok()) return session.status();
  interrupts.SetHandler([&](int) { (*session)->Cancel(); });
  auto result = RunChunks(recording, **session, bar);
  interrupts.SetHandler(nullptr);
  return result;
}

}  // namespace qvg
