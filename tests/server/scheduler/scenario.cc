#include "tests/server/scheduler/scenario.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace qvg::testing {
namespace {

ScenarioStep ParseBlock(const std::vector<absl::string_view>& lines) {
  ScenarioStep step;
  bool printed = false;
  for (absl::string_view line : lines) {
    if (line == "----") {
      printed = true;
    } else if (printed) {
      absl::StrAppend(&step.expected, line, "\n");
    } else if (absl::StartsWith(line, "#")) {
      absl::StrAppend(&step.comment, line, "\n");
    } else {
      step.commands.emplace_back(line);
    }
  }
  return step;
}

// "command: line", or "command:" and the lines below it.
std::string Attribute(const std::string& command, const std::string& printed) {
  const std::vector<std::string> lines =
      absl::StrSplit(printed, '\n', absl::SkipEmpty());
  if (lines.empty()) return "";
  if (lines.size() == 1) return absl::StrCat(command, ": ", lines[0], "\n");
  return absl::StrCat(command, ":\n  ", absl::StrJoin(lines, "\n  "), "\n");
}

}  // namespace

std::vector<ScenarioStep> ParseScenario(const std::string& text) {
  std::vector<ScenarioStep> steps;
  std::vector<absl::string_view> block;
  for (absl::string_view line : absl::StrSplit(text + "\n", '\n')) {
    if (!line.empty()) {
      block.push_back(line);
    } else if (!block.empty()) {
      steps.push_back(ParseBlock(block));
      block.clear();
    }
  }
  return steps;
}

std::string FormatScenario(const std::vector<ScenarioStep>& steps) {
  std::string text;
  for (const ScenarioStep& step : steps) {
    if (!text.empty()) text += "\n";
    text += step.comment;
    for (const std::string& command : step.commands) text += command + "\n";
    if (!step.commands.empty()) text += "----\n" + step.expected;
  }
  return text;
}

std::vector<ScenarioStep> RunScenario(
    std::vector<ScenarioStep> steps,
    const std::function<std::string(const std::string&)>& execute) {
  for (ScenarioStep& step : steps) {
    step.expected.clear();
    for (const std::string& command : step.commands) {
      step.expected += Attribute(command, execute(command));
    }
    if (step.expected.empty()) step.expected = "ok\n";
  }
  return steps;
}

}  // namespace qvg::testing
