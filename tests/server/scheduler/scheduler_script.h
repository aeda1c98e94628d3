#ifndef TESTS_SERVER_SCHEDULER_SCHEDULER_SCRIPT_H_
#define TESTS_SERVER_SCHEDULER_SCHEDULER_SCRIPT_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/scheduler/scheduler.h"

namespace qvg::testing {

// Runs the command language of tests/scenarios/scheduler/README.md.
class SchedulerScript {
 public:
  SchedulerScript();

  // What the command prints. Dies on a command that it does not know.
  std::string Execute(const std::string& command);

 private:
  using Words = std::vector<std::string>;

  void Configure(const Words& words);
  std::string Admit(const Words& words);
  std::string Event(const Words& words);
  std::string Next();
  std::string Complete(SessionId id, int64_t bytes);
  void Deliver(SessionId id, int64_t bytes);
  std::string Show() const;
  std::string Endings();
  SessionId IdOf(const std::string& name) const;
  std::string NameOf(SessionId id) const;

  SchedulerOptions options_;
  TaskParams params_;
  std::unique_ptr<Scheduler> scheduler_;
  std::map<std::string, SessionId> ids_;
  absl::Time now_ = absl::UnixEpoch();
};

}  // namespace qvg::testing

#endif  // TESTS_SERVER_SCHEDULER_SCHEDULER_SCRIPT_H_
