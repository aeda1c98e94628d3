#include "server/session/generator.h"

#include <algorithm>
#include <utility>

#include "cache/kv_cache.h"
#include "cache/session_state.h"

namespace qvg {
namespace {

// What the session holds after the chunk that has just been generated.
void ReportBytes(Session& session, const SessionState& state,
                 ChunkReport* report) {
  if (state.cache != nullptr) report->history = state.cache->bytes();
  report->held = session.HeldBytes();
  const int64_t held = state.reservation.committed_bytes() +
                       session.own_memory().committed_bytes();
  const int64_t bf16_bytes =
      report->history.packed_bf16 + report->history.unpacked_bf16;
  report->whole_session_ratio =
      held == 0 ? 0 : static_cast<double>(bf16_bytes) / held;
}

}  // namespace

Generator::Generator(VideoModel* model, Dispatcher* dispatcher)
    : model_(model), dispatcher_(dispatcher), thread_([this] { Loop(); }) {}

Generator::~Generator() { thread_.join(); }

void Generator::Loop() {
  while (true) {
    GeneratorWork work = dispatcher_->WaitForWork();
    if (work.kind == GeneratorWork::Kind::kStop) return;
    if (work.kind == GeneratorWork::Kind::kOpen) {
      Open(*work.session);
    } else {
      Run(std::move(work));
    }
  }
}

void Generator::Open(Session& session) {
  dispatcher_->Opened(
      session, model_->Open(session.plan().spec, session.TakeModelMemory()));
}

void Generator::Run(GeneratorWork work) {
  Session& session = *work.session;
  SessionState& state = *session.work().state;
  ChunkJob job;
  job.state = &state;
  job.inputs = &work.inputs;
  job.cancelled = &session.work().cancelled;
  model_->Advance(absl::MakeSpan(&job, 1));
  if (!job.status.ok()) {
    return dispatcher_->GenerateFailed(session, std::move(job.status));
  }
  EncodeJob next;
  next.report.chunk = work.chunk;
  next.report.frames = session.model().frames_per_chunk;
  next.report.first_frame = work.chunk * next.report.frames;
  next.report.queue = work.queue;
  next.report.stages = job.stages;
  ReportBytes(session, state, &next.report);
  auto rgb =
      session.own_memory().Allocate(BytesKind::kMedia, std::ssize(job.rgb));
  if (!rgb.ok()) return dispatcher_->GenerateFailed(session, rgb.status());
  std::copy(job.rgb.begin(), job.rgb.end(), rgb->bytes().begin());
  next.rgb = *std::move(rgb);
  next.inputs = std::move(work.inputs);
  next.session = std::move(work.session);
  dispatcher_->Generated(std::move(next));
}

}  // namespace qvg
