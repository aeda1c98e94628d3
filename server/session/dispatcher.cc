#include "server/session/dispatcher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/log/log.h"
#include "server/session/dispatcher_turn.h"

namespace qvg {

Dispatcher::Dispatcher(const SchedulerOptions& options, int encoders,
                       Clock clock, Metrics* metrics)
    : clock_(std::move(clock)),
      metrics_(metrics),
      scheduler_(options),
      encode_queues_(encoders) {}

std::vector<std::function<void()>> Dispatcher::Settle(absl::Time now) {
  for (const Ending& ending : scheduler_.TakeEndings(now)) {
    Session& session = *sessions_[ending.id];
    if (ending.reason != EndReason::kWriteStalled) {
      session.End(ending.reason);
      continue;
    }
    metrics_->AddWriteStall();
    session.Fail(ending.reason,
                 absl::DeadlineExceededError(
                     "the client took too long to accept a write"));
    session.Abort();
  }
  std::vector<std::function<void()>> wakers;
  for (const auto& [id, session] : sessions_) {
    if (session->TakeNews()) wakers.push_back(session->waker());
  }
  work_.Signal();
  return wakers;
}

absl::Status Dispatcher::Add(std::shared_ptr<Session> session,
                             int64_t first_credit) {
  Turn turn(this);
  const SessionId id = session->id();
  const absl::Status status =
      scheduler_.Admit(id, session->plan().task, turn.now());
  if (!status.ok()) return status;
  if (first_credit > 0) {
    // PlanSession has checked it.
    scheduler_.AddCredit(id, first_credit, turn.now()).IgnoreError();
  }
  sessions_[id] = std::move(session);
  metrics_->AddSessionOpened();
  return status;
}

void Dispatcher::Remove(Session& session) {
  session.work().cancelled = true;
  const char* reason = "cancelled";
  {
    Turn turn(this);
    const auto found = sessions_.find(session.id());
    if (found == sessions_.end()) return;
    if (session.end_reason()) reason = ToString(*session.end_reason());
    scheduler_.Close(session.id(), turn.now());
    EncodeJob last;
    last.session = std::move(found->second);
    sessions_.erase(found);
    encode_queues_[session.id() % encode_queues_.size()].push_back(
        std::move(last));
    encode_work_.SignalAll();
  }
  metrics_->AddSessionEnded(reason);
  LogInfo("session ", session.name(), " ended: ", reason);
}

void Dispatcher::FailLocked(Session& session, EndReason reason,
                            absl::Status status, absl::Time now) {
  if (!sessions_.contains(session.id())) return;  // the call is over
  scheduler_.End(session.id(), reason, now);
  session.Fail(reason, std::move(status));
}

template <typename Change>
void Dispatcher::FromClient(Session& session, const Change& change) {
  Turn turn(this);
  scheduler_.Touch(session.id(), turn.now());
  absl::Status status = change(turn.now());
  if (status.ok()) return;
  FailLocked(session, EndReason::kFailed, std::move(status), turn.now());
}

void Dispatcher::Action(Session& session, const ActionRequest& action) {
  FromClient(session, [&](absl::Time) { return session.AddAction(action); });
}

void Dispatcher::Prompt(Session& session, const PromptRequest& prompt) {
  FromClient(session, [&](absl::Time) { return session.SetPrompt(prompt); });
}

void Dispatcher::AddCredit(Session& session, int64_t chunks) {
  FromClient(session, [&](absl::Time now) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return scheduler_.AddCredit(session.id(), chunks, now);
  });
}

void Dispatcher::Ack(Session& session, uint64_t chunk) {
  FromClient(session, [&](absl::Time) { return session.Ack(chunk); });
}

void Dispatcher::Ping(Session& session, uint64_t nonce) {
  FromClient(session, [&](absl::Time) { return session.Ping(nonce); });
}

void Dispatcher::SetPaused(Session& session, bool paused) {
  Turn turn(this);
  scheduler_.SetPaused(session.id(), paused, turn.now());
}

void Dispatcher::Stop(Session& session) {
  Turn turn(this);
  scheduler_.End(session.id(), EndReason::kStopped, turn.now());
}

void Dispatcher::InputClosed(Session& session) {
  Turn turn(this);
  scheduler_.InputClosed(session.id(), turn.now());
}

void Dispatcher::Fail(Session& session, absl::Status status) {
  Turn turn(this);
  FailLocked(session, EndReason::kFailed, std::move(status), turn.now());
}

WriterStep Dispatcher::NextStep(Session& session) {
  MutexLock lock(&mu_);
  WriterStep step = session.Next();
  if (step.kind == WriterStep::Kind::kWrite) {
    const bool has_media = std::holds_alternative<MediaPart>(step.message);
    scheduler_.WriteBegun(session.id(), has_media, clock_());
  }
  return step;
}

void Dispatcher::Written(Session& session) {
  Turn turn(this);
  scheduler_.WriteDone(session.id(), turn.now());
  const Outbox::Departure departure = session.Written();
  if (!departure.chunk) return;
  scheduler_.Sent(session.id(), departure.bytes, turn.now());
  metrics_->AddSentBytes(departure.bytes);
  if (session.chunks_sent() > 1) return;
  metrics_->ObserveTimeToFirstFrame(
      absl::ToDoubleSeconds(turn.now() - session.started()));
}

void Dispatcher::Tick() { Turn turn(this); }

absl::Status Dispatcher::Close(absl::string_view name) {
  Turn turn(this);
  for (const auto& [id, session] : sessions_) {
    if (session->name() != name) continue;
    scheduler_.End(id, EndReason::kClosed, turn.now());
    return absl::OkStatus();
  }
  return absl::NotFoundError(absl::StrCat("session_id: \"", name.substr(0, 64),
                                          "\" is no live session"));
}

void Dispatcher::Drain() {
  metrics_->SetDraining(true);
  Turn turn(this);
  scheduler_.Drain(turn.now());
}

void Dispatcher::AbortAll() {
  Turn turn(this);
  for (const auto& [id, session] : sessions_) {
    FailLocked(*session, EndReason::kDraining,
               absl::UnavailableError("the server is draining"), turn.now());
    session->Abort();
  }
}

}  // namespace qvg
