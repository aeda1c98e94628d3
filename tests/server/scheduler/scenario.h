#ifndef TESTS_SERVER_SCHEDULER_SCENARIO_H_
#define TESTS_SERVER_SCHEDULER_SCENARIO_H_

#include <functional>
#include <string>
#include <vector>

namespace qvg::testing {

// One step of a scenario file: commands, and what they print.
struct ScenarioStep {
  std::string comment;  // lines before it, with their ends
  std::vector<std::string> commands;
  std::string expected;
};

// A scenario file is a sequence of blocks with an empty line between them:
//
//   # comment lines, by themselves or on top of a block
//   command arguments
//   command arguments
//   ----
//   what the commands print together, "ok" if nothing
std::vector<ScenarioStep> ParseScenario(const std::string& text);
std::string FormatScenario(const std::vector<ScenarioStep>& steps);

// Runs every command through `execute`, in order, and returns the steps with
// what was printed as `expected`.
std::vector<ScenarioStep> RunScenario(
    std::vector<ScenarioStep> steps,
    const std::function<std::string(const std::string&)>& execute);

}  // namespace qvg::testing

#endif  // TESTS_SERVER_SCHEDULER_SCENARIO_H_
