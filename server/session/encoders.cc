#include "server/session/encoders.h"

#include <algorithm>
#include <utility>

#include "absl/strings/string_view.h"
#include "server/log/log.h"
#include "server/session/clock.h"

namespace qvg {
namespace {

absl::Status AddUnit(Session& session, absl::string_view data, int frame_index,
                     bool init_segment, OutboxChunk* chunk) {
  auto buffer = session.own_memory().Allocate(
      BytesKind::kMedia, static_cast<int64_t>(data.size()));
  if (!buffer.ok()) return buffer.status();
  std::copy(data.begin(), data.end(), buffer->bytes().begin());
  chunk->units.push_back({*std::move(buffer), frame_index, init_segment});
  return absl::OkStatus();
}

}  // namespace

Encoders::Encoders(const EncodersOptions& options, Dispatcher* dispatcher)
    : options_(options), dispatcher_(dispatcher) {
  for (int i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this, i] { Loop(i); });
  }
}

Encoders::~Encoders() {
  for (std::thread& thread : threads_) thread.join();
}

void Encoders::Loop(int encoder) {
  while (auto job = dispatcher_->WaitForEncodeJob(encoder)) {
    Session& session = *job->session;
    if (job->rgb.size() == 0) {
      Finish(session);
      continue;
    }
    OutboxChunk chunk;
    absl::Status status = Encode(*job, &chunk);
    if (status.ok()) {
      dispatcher_->Completed(session, std::move(chunk));
    } else {
      LogWarning("session ", session.name(),
                 ": encoding failed: ", status.message());
      dispatcher_->EncodeFailed(session, std::move(status));
    }
  }
}

absl::Status Encoders::Prepare(Session& session) {
  auto encoder = NewMediaEncoder(session.plan().media);
  if (!encoder.ok()) return encoder.status();
  session.work().encoder = *std::move(encoder);
  if (options_.record_dir.empty()) return absl::OkStatus();
  auto recorder = Recorder::Create(options_.record_dir, session.name(),
                                   options_.server_version, session.model(),
                                   session.plan());
  if (recorder.ok()) {
    session.work().recorder = *std::move(recorder);
  } else {
    LogWarning(recorder.status().message());
  }
  return absl::OkStatus();
}

absl::Status Encoders::Encode(EncodeJob& job, OutboxChunk* chunk) {
  Session& session = *job.session;
  const absl::Time begin = SteadyNow();
  absl::Status status;
  if (job.report.chunk == 0) {
    status = Prepare(session);
    if (!status.ok()) return status;
    const absl::string_view init = session.work().encoder->InitSegment();
    if (!init.empty()) status = AddUnit(session, init, 0, true, chunk);
    if (!status.ok()) return status;
  }
  chunk->report = job.report;
  chunk->report.frames_sha256 = Sha256(job.rgb.bytes());
  auto units = session.work().encoder->Encode(job.rgb.bytes());
  if (!units.ok()) return units.status();
  for (const MediaUnit& unit : *units) {
    status = AddUnit(session, unit.data, unit.frame_index, false, chunk);
    if (!status.ok()) return status;
  }
  job.rgb = PoolBuffer();
  if (session.work().recorder != nullptr) {
    session.work().recorder->Chunk(job.report.chunk, job.inputs,
                                   chunk->report.frames_sha256);
  }
  chunk->report.encode = SteadyNow() - begin;
  return absl::OkStatus();
}

void Encoders::Finish(Session& session) {
  if (session.work().recorder == nullptr || !session.end_reason()) return;
  session.work().recorder->End(*session.end_reason(),
                               session.chunks_complete());
}

}  // namespace qvg
