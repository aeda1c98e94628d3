#include "tests/server/scheduler/scheduler_script.h"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace qvg::testing {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "scenario: %s\n", what.c_str());
  std::abort();
}

int64_t Number(const std::string& text) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) Die(text + " is no number");
  return value;
}

std::string Print(const absl::Status& status) {
  return status.ok() ? "" : absl::StrCat(status.ToString(), "\n");
}

}  // namespace

SchedulerScript::SchedulerScript() {
  Configure({"config", "max_sessions=8", "session=3600000", "idle=60000",
             "stall=20000", "chunk=250", "max_chunks=100", "max_credit=16",
             "outbox_chunks=4", "outbox_bytes=1000"});
}

void SchedulerScript::Configure(const Words& words) {
  for (size_t i = 1; i < words.size(); ++i) {
    const std::pair<std::string, std::string> field =
        absl::StrSplit(words[i], '=');
    const std::string& key = field.first;
    const int64_t value = Number(field.second);
    const absl::Duration time = absl::Milliseconds(value);
    if (key == "max_sessions") options_.max_sessions = static_cast<int>(value);
    if (key == "session") options_.session_time = time;
    if (key == "idle") options_.idle_time = time;
    if (key == "stall") options_.write_stall_time = time;
    if (key == "chunk") params_.chunk_duration = time;
    if (key == "max_chunks") params_.max_chunks = value;
    if (key == "max_credit") params_.max_credit = value;
    if (key == "outbox_chunks") params_.max_outbox_chunks = value;
    if (key == "outbox_bytes") params_.max_outbox_bytes = value;
  }
  if (scheduler_ == nullptr || scheduler_->sessions() == 0) {
    scheduler_ = std::make_unique<Scheduler>(options_);
  }
}

std::string SchedulerScript::Execute(const std::string& command) {
  const Words words = absl::StrSplit(command, ' ', absl::SkipEmpty());
  const std::string& verb = words[0];
  std::string printed;
  if (verb == "config") {
    Configure(words);
  } else if (verb == "at") {
    now_ = absl::UnixEpoch() + absl::Milliseconds(Number(words[1]));
  } else if (verb == "admit") {
    printed = Admit(words);
  } else if (verb == "next") {
    printed = Next();
  } else if (verb == "show") {
    printed = Show();
  } else if (verb == "drain") {
    scheduler_->Drain(now_);
  } else {
    printed = Event(words);
  }
  return printed + Endings();
}

std::string SchedulerScript::Admit(const Words& words) {
  const SessionId id = static_cast<SessionId>(ids_.size()) + 1;
  ids_[words[1]] = id;
  return Print(scheduler_->Admit(id, params_, now_));
}

std::string SchedulerScript::Event(const Words& words) {
  const SessionId id = IdOf(words[1]);
  const auto number = [&](size_t i) { return Number(words[i]); };
  Scheduler& s = *scheduler_;
  const std::map<std::string, std::function<void()>> events = {
      {"opened", [&] { s.Opened(id, now_); }},
      {"pause", [&] { s.SetPaused(id, true, now_); }},
      {"resume", [&] { s.SetPaused(id, false, now_); }},
      {"touch", [&] { s.Touch(id, now_); }},
      {"half-close", [&] { s.InputClosed(id, now_); }},
      {"generated", [&] { s.Generated(id, now_); }},
      {"sent", [&] { s.Sent(id, number(2), now_); }},
      {"write", [&] { s.WriteBegun(id, true, now_); }},
      {"write-text", [&] { s.WriteBegun(id, false, now_); }},
      {"deliver", [&] { Deliver(id, number(2)); }},
      {"written", [&] { s.WriteDone(id, now_); }},
      {"stop", [&] { s.End(id, EndReason::kStopped, now_); }},
      {"close", [&] { s.Close(id, now_); }}};
  const Task* task = s.Find(id);
  if (words[0] == "generated" && task != nullptr && !task->generating()) {
    Die(words[1] + " is not generating");
  }
  if (words[0] == "credit") return Print(s.AddCredit(id, number(2), now_));
  if (words[0] == "complete") return Complete(id, number(2));
  const auto event = events.find(words[0]);
  if (event == events.end()) Die("unknown command " + words[0]);
  event->second();
  return "";
}

std::string SchedulerScript::Complete(SessionId id, int64_t bytes) {
  const Task* task = scheduler_->Find(id);
  if (task != nullptr && task->generated == task->completed) {
    Die(NameOf(id) + " has no chunk to complete");
  }
  const DeadlineVerdict verdict = scheduler_->Completed(id, bytes, now_);
  return absl::StrFormat("%s %+d ms\n", ToString(verdict.state),
                         absl::ToInt64Milliseconds(verdict.margin));
}

void SchedulerScript::Deliver(SessionId id, int64_t bytes) {
  scheduler_->WriteBegun(id, true, now_);
  scheduler_->WriteDone(id, now_);
  scheduler_->Sent(id, bytes, now_);
}

std::string SchedulerScript::Next() {
  const Decision decision = scheduler_->Next(now_);
  switch (decision.kind) {
    case Decision::Kind::kNone:
      return "none\n";
    case Decision::Kind::kOpen:
      return absl::StrCat("open ", NameOf(decision.id), "\n");
    case Decision::Kind::kRun:
      break;
  }
  return absl::StrFormat("run %s chunk %d after %d ms\n", NameOf(decision.id),
                         decision.chunk,
                         absl::ToInt64Milliseconds(decision.queue));
}

std::string SchedulerScript::Show() const {
  std::string text;
  for (const auto& [name, id] : ids_) {
    const Task* task = scheduler_->Find(id);
    if (task == nullptr) continue;
    absl::StrAppendFormat(
        &text, "%s %s credit=%d started=%d completed=%d%s%s", name,
        ToString(task->state), task->credit, task->started, task->completed,
        task->paused ? " paused" : "", task->blocked ? " blocked" : "");
    if (task->end) absl::StrAppend(&text, " end=", ToString(*task->end));
    text += "\n";
  }
  return text.empty() ? "empty\n" : text;
}

std::string SchedulerScript::Endings() {
  std::string text;
  for (const Ending& ending : scheduler_->TakeEndings(now_)) {
    absl::StrAppend(&text, "end ", NameOf(ending.id), ": ",
                    ToString(ending.reason), "\n");
  }
  return text;
}

SessionId SchedulerScript::IdOf(const std::string& name) const {
  const auto found = ids_.find(name);
  if (found == ids_.end()) Die("unknown session " + name);
  return found->second;
}

std::string SchedulerScript::NameOf(SessionId id) const {
  for (const auto& [name, known] : ids_) {
    if (known == id) return name;
  }
  return "?";
}

}  // namespace qvg::testing
