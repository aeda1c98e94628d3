// The part of Dispatcher that the server's own threads use.

#include <algorithm>
#include <utility>

#include "server/session/dispatcher_turn.h"

namespace qvg {
namespace {

DeadlineResult ToResult(DeadlineState state) {
  switch (state) {
    case DeadlineState::kMet:
      return DeadlineResult::kMet;
    case DeadlineState::kMissed:
      return DeadlineResult::kMissed;
    case DeadlineState::kInfeasible:
      break;
  }
  return DeadlineResult::kInfeasible;
}

}  // namespace

std::vector<GeneratorWork> Dispatcher::WaitForWork(int most) {
  std::vector<GeneratorWork> works;
  std::vector<std::function<void()>> wakers;
  {
    MutexLock lock(&mu_);
    while (!shutdown_ && std::ssize(works) < most) {
      const Decision decision = scheduler_.Next(clock_());
      if (decision.kind != Decision::Kind::kNone) {
        works.push_back(Take(decision));
        Session& session = *works.back().session;
        if (session.TakeNews()) wakers.push_back(session.waker());
      } else if (works.empty()) {
        work_.Wait(&mu_);
      } else {
        break;
      }
    }
    if (shutdown_) return {};
    generating_ = static_cast<int>(works.size());
    generating_since_ = clock_();
  }
  for (const std::function<void()>& waker : wakers) waker();
  return works;
}

GeneratorWork Dispatcher::Take(const Decision& decision) {
  GeneratorWork work;
  work.session = sessions_[decision.id];
  if (decision.kind == Decision::Kind::kRun) {
    work.kind = GeneratorWork::Kind::kRun;
    work.chunk = decision.chunk;
    work.queue = decision.queue;
    work.inputs = work.session->TakeInputs(decision.chunk);
  }
  return work;
}

void Dispatcher::LeaveGenerator() {
  if (--generating_ == 0) generating_since_ = absl::InfiniteFuture();
}

void Dispatcher::Opened(Session& session,
                        absl::StatusOr<std::unique_ptr<SessionState>> state) {
  Turn turn(this);
  LeaveGenerator();
  if (!sessions_.contains(session.id())) return;  // the call is over
  scheduler_.Opened(session.id(), turn.now());
  if (state.ok()) {
    session.work().state = *std::move(state);
  } else {
    FailLocked(session, EndReason::kFailed, state.status(), turn.now());
  }
}

void Dispatcher::Generated(EncodeJob job) {
  Turn turn(this);
  LeaveGenerator();
  const SessionId id = job.session->id();
  if (!sessions_.contains(id)) return;  // the call is over
  scheduler_.Generated(id, turn.now());
  encode_queues_[id % encode_queues_.size()].push_back(std::move(job));
  encode_work_.SignalAll();
}

void Dispatcher::GenerateFailed(Session& session, absl::Status status) {
  Turn turn(this);
  LeaveGenerator();
  FailLocked(session, EndReason::kFailed, std::move(status), turn.now());
}

std::optional<EncodeJob> Dispatcher::WaitForEncodeJob(int encoder) {
  MutexLock lock(&mu_);
  std::deque<EncodeJob>& queue = encode_queues_[encoder];
  while (queue.empty() && !shutdown_) encode_work_.Wait(&mu_);
  if (queue.empty()) return std::nullopt;
  EncodeJob job = std::move(queue.front());
  queue.pop_front();
  return job;
}

void Dispatcher::Completed(Session& session, OutboxChunk chunk) {
  Turn turn(this);
  const Task* task = scheduler_.Find(session.id());
  if (task == nullptr) return;  // the call is over
  const absl::Time active_since = task->active_since;
  const absl::Time last = task->last_completed;
  chunk.report.deadline =
      scheduler_.Completed(session.id(), chunk.bytes(), turn.now());
  Observe(chunk.report);
  if (active_since <= last) {
    metrics_->ObserveChunkInterval(absl::ToDoubleSeconds(turn.now() - last));
  }
  session.PushChunk(std::move(chunk));
}

void Dispatcher::EncodeFailed(Session& session, absl::Status status) {
  Turn turn(this);
  FailLocked(session, EndReason::kFailed, std::move(status), turn.now());
}

void Dispatcher::Observe(const ChunkReport& report) {
  metrics_->ObserveChunkStage("queue", absl::ToDoubleSeconds(report.queue));
  metrics_->ObserveChunkStage("denoise", report.stages.denoise);
  metrics_->ObserveChunkStage("kv_commit", report.stages.kv_commit);
  metrics_->ObserveChunkStage("pack", report.stages.pack);
  metrics_->ObserveChunkStage("decode", report.stages.decode);
  metrics_->ObserveChunkStage("encode", absl::ToDoubleSeconds(report.encode));
  metrics_->AddFrames(report.frames);
  metrics_->AddDeadline(ToResult(report.deadline.state));
  if (report.deadline.state == DeadlineState::kMissed) {
    metrics_->AddStall(-absl::ToDoubleSeconds(report.deadline.margin));
  }
}

void Dispatcher::Shutdown() {
  MutexLock lock(&mu_);
  shutdown_ = true;
  work_.SignalAll();
  encode_work_.SignalAll();
}

std::vector<SessionSummary> Dispatcher::List() const {
  MutexLock lock(&mu_);
  const absl::Time now = clock_();
  std::vector<SessionSummary> list;
  for (const auto& [id, session] : sessions_) {
    const Task& task = *scheduler_.Find(id);
    SessionSummary summary;
    summary.name = session->name();
    summary.state = ToString(task.state);
    summary.chunks = task.completed;
    summary.frames = task.completed * session->model().frames_per_chunk;
    summary.credit = task.credit;
    summary.outbox_chunks = task.outbox_chunks;
    summary.outbox_bytes = task.outbox_bytes;
    summary.held = session->HeldBytes();
    summary.history = session->history();
    summary.age = now - task.admitted;
    list.push_back(std::move(summary));
  }
  return list;
}

std::array<int, kLifeStates> Dispatcher::CountByState() const {
  MutexLock lock(&mu_);
  return scheduler_.CountByState();
}

int Dispatcher::sessions() const {
  MutexLock lock(&mu_);
  return scheduler_.sessions();
}

bool Dispatcher::Aborted(const Session& session) const {
  MutexLock lock(&mu_);
  return session.aborted();
}

bool Dispatcher::draining() const {
  MutexLock lock(&mu_);
  return scheduler_.draining();
}

absl::Duration Dispatcher::ShortestRest() const {
  MutexLock lock(&mu_);
  absl::Duration shortest = absl::InfiniteDuration();
  for (const auto& [id, session] : sessions_) {
    const Task& task = *scheduler_.Find(id);
    shortest = std::min(shortest, (task.params.max_chunks - task.completed) *
                                      task.params.chunk_duration);
  }
  return shortest;
}

absl::Duration Dispatcher::GeneratorBusy() const {
  MutexLock lock(&mu_);
  return std::max(absl::ZeroDuration(), clock_() - generating_since_);
}

}  // namespace qvg
