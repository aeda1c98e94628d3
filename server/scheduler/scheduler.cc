#include "server/scheduler/scheduler.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace qvg {

absl::Status SchedulerOptions::Validate() const {
  if (max_sessions <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_sessions: ", max_sessions, " is not at least 1"));
  }
  const struct {
    const char* name;
    absl::Duration value;
  } times[] = {{"session_time", session_time},
               {"idle_time", idle_time},
               {"write_stall_time", write_stall_time}};
  for (const auto& [name, value] : times) {
    if (value > absl::ZeroDuration()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": ", absl::FormatDuration(value), " is not positive"));
  }
  return absl::OkStatus();
}

template <typename Change>
void Scheduler::Update(SessionId id, absl::Time now, const Change& change) {
  const auto found = tasks_.find(id);
  if (found == tasks_.end()) return;
  change(found->second);
  found->second.Settle(now);
}

absl::Status Scheduler::Admit(SessionId id, const TaskParams& params,
                              absl::Time now) {
  if (draining_) return absl::UnavailableError("the server is draining");
  if (sessions() >= options_.max_sessions) {
    return absl::ResourceExhaustedError(absl::StrCat("sessions: ", sessions(),
                                                     " are live, the limit is ",
                                                     options_.max_sessions));
  }
  tasks_.try_emplace(id, params, now);
  return absl::OkStatus();
}

void Scheduler::Opened(SessionId id, absl::Time now) {
  Update(id, now, [](Task& task) {
    task.opening = false;
    task.opened = true;
  });
}

absl::Status Scheduler::AddCredit(SessionId id, int64_t chunks,
                                  absl::Time now) {
  absl::Status status;
  Update(id, now, [&](Task& task) {
    task.touched = now;
    if (chunks < 1) {
      status = absl::InvalidArgumentError(
          absl::StrCat("credit.chunks: ", chunks, " is not at least 1"));
    } else if (chunks > task.params.max_credit - task.credit) {
      status = absl::InvalidArgumentError(absl::StrCat(
          "credit.chunks: ", chunks, " added to ", task.credit,
          " open ones is over the limit of ", task.params.max_credit));
    } else {
      task.credit += chunks;
    }
  });
  return status;
}

void Scheduler::SetPaused(SessionId id, bool paused, absl::Time now) {
  Update(id, now, [&](Task& task) {
    task.touched = now;
    task.paused = paused;
    task.clock.SetPaused(paused, now);
  });
}

void Scheduler::Touch(SessionId id, absl::Time now) {
  Update(id, now, [&](Task& task) { task.touched = now; });
}

void Scheduler::InputClosed(SessionId id, absl::Time now) {
  Update(id, now, [](Task& task) { task.input_closed = true; });
}

void Scheduler::Generated(SessionId id, absl::Time now) {
  Update(id, now, [&](Task& task) {
    ++task.generated;
    task.ready_since = now;
  });
}

DeadlineVerdict Scheduler::Completed(SessionId id, int64_t bytes,
                                     absl::Time now) {
  DeadlineVerdict verdict;
  Update(id, now, [&](Task& task) {
    ++task.completed;
    ++task.outbox_chunks;
    task.outbox_bytes += bytes;
    task.touched = task.last_completed = now;
    verdict = task.clock.Judge(now);
  });
  return verdict;
}

void Scheduler::Sent(SessionId id, int64_t bytes, absl::Time now) {
  Update(id, now, [&](Task& task) {
    --task.outbox_chunks;
    task.outbox_bytes -= bytes;
  });
}

void Scheduler::WriteBegun(SessionId id, bool has_media, absl::Time now) {
  Update(id, now, [&](Task& task) {
    task.writing_since = now;
    if (has_media) task.clock.Start(now);
  });
}

void Scheduler::WriteDone(SessionId id, absl::Time now) {
  Update(id, now, [&](Task& task) {
    task.writing_since.reset();
    task.touched = now;
  });
}

void Scheduler::End(SessionId id, EndReason reason, absl::Time now) {
  Update(id, now, [&](Task& task) {
    if (!task.end) task.end = reason;
  });
}

void Scheduler::Drain(absl::Time now) {
  draining_ = true;
  for (auto& [id, task] : tasks_) {
    if (!task.end) task.end = EndReason::kDraining;
    task.Settle(now);
  }
}

void Scheduler::Close(SessionId id, absl::Time) {
  const auto found = tasks_.find(id);
  if (found == tasks_.end()) return;
  Transition(LifeState::kClosed, &found->second.state);
  tasks_.erase(found);
}

Decision Scheduler::Next(absl::Time now) {
  Decision decision;
  Task* best = nullptr;
  for (auto& [id, task] : tasks_) {
    if (!task.opened && !task.opening && !task.end) {
      task.opening = true;
      return {Decision::Kind::kOpen, id, 0, absl::ZeroDuration()};
    }
    if (!task.runnable()) continue;
    if (best != nullptr && best->Priority(now) <= task.Priority(now)) continue;
    best = &task;
    decision.id = id;
  }
  if (best == nullptr) return decision;
  decision.kind = Decision::Kind::kRun;
  decision.chunk = best->started++;
  decision.queue = now - best->ready_since;
  best->turn = ++turns_;
  --best->credit;
  best->Settle(now);
  return decision;
}

void Scheduler::CheckTimers(Task& task, absl::Time now) const {
  if (task.end) return;
  if (now - task.admitted >= options_.session_time) {
    task.end = EndReason::kTooOld;
  } else if (task.state == LifeState::kWaiting && !task.writing_since &&
             now - task.touched >= options_.idle_time) {
    task.end = EndReason::kIdle;
  }
  if (task.end) task.Settle(now);
}

std::vector<Ending> Scheduler::TakeEndings(absl::Time now) {
  std::vector<Ending> endings;
  for (auto& [id, task] : tasks_) {
    CheckTimers(task, now);
    if (task.writing_since && !task.stall_taken &&
        now - *task.writing_since >= options_.write_stall_time) {
      task.stall_taken = true;
      endings.push_back({id, EndReason::kWriteStalled});
    }
    if (!task.end || task.ending_taken || task.under_way()) continue;
    task.ending_taken = true;
    endings.push_back({id, *task.end});
  }
  return endings;
}

std::array<int, kLifeStates> Scheduler::CountByState() const {
  std::array<int, kLifeStates> counts{};
  for (const auto& [id, task] : tasks_) ++counts[static_cast<int>(task.state)];
  return counts;
}

const Task* Scheduler::Find(SessionId id) const {
  const auto found = tasks_.find(id);
  return found == tasks_.end() ? nullptr : &found->second;
}

}  // namespace qvg
