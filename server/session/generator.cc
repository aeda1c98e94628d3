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
                       state.host.committed_bytes() +
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
    std::vector<GeneratorWork> works =
        dispatcher_->WaitForWork(model_->info().jobs_at_once);
    if (works.empty()) return;
    std::vector<GeneratorWork> runs;
    for (GeneratorWork& work : works) {
      if (work.kind == GeneratorWork::Kind::kOpen) {
        Open(*work.session);
      } else {
        runs.push_back(std::move(work));
      }
    }
    if (!runs.empty()) Run(std::move(runs));
  }
}

void Generator::Open(Session& session) {
  dispatcher_->Opened(
      session, model_->Open(session.plan().spec, session.TakeCacheMemory(),
                            session.TakeModelHostMemory()));
}

void Generator::Run(std::vector<GeneratorWork> works) {
  std::vector<ChunkJob> jobs(works.size());
  for (size_t i = 0; i < works.size(); ++i) {
    Session::Work& work = works[i].session->work();
    jobs[i].state = work.state.get();
    jobs[i].inputs = &works[i].inputs;
    jobs[i].cancelled = &work.cancelled;
  }
  model_->Advance(absl::MakeSpan(jobs));
  for (size_t i = 0; i < works.size(); ++i) {
    Finish(std::move(works[i]), std::move(jobs[i]));
  }
}

void Generator::Finish(GeneratorWork work, ChunkJob job) {
  Session& session = *work.session;
  if (!job.status.ok()) {
    return dispatcher_->GenerateFailed(session, std::move(job.status));
  }
  EncodeJob next;
  next.report.chunk = work.chunk;
  next.report.frames = session.model().frames_per_chunk;
  next.report.first_frame = work.chunk * next.report.frames;
  next.report.queue = work.queue;
  next.report.stages = job.stages;
  ReportBytes(session, *session.work().state, &next.report);
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
