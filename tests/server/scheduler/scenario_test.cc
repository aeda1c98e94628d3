// Replays every file of tests/scenarios/scheduler. With --rewrite it writes
// down what the scheduler does now instead of comparing.

#include "tests/server/scheduler/scenario.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/scheduler/scheduler_script.h"

namespace qvg::testing {
namespace {

bool rewrite = false;

std::string ReadFile(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<std::filesystem::path> ScenarioFiles() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator("tests/scenarios/scheduler")) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class SchedulerScenario
    : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(SchedulerScenario, DoesWhatTheFileSays) {
  const std::string text = ReadFile(GetParam());
  SchedulerScript script;
  const std::string now = FormatScenario(RunScenario(
      ParseScenario(text),
      [&](const std::string& command) { return script.Execute(command); }));
  if (rewrite) {
    std::ofstream(GetParam()) << now;
  } else {
    EXPECT_EQ(now, text);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, SchedulerScenario,
                         ::testing::ValuesIn(ScenarioFiles()),
                         [](const auto& file) {
                           return file.param.stem().string();
                         });

TEST(Scenario, FormattingParsedTextGivesItBack) {
  const std::string text =
      "# intent\n\nat 3\nnext\n----\nnone\n\n# why\nshow\n----\nok\n";
  EXPECT_EQ(FormatScenario(ParseScenario(text)), text);
}

TEST(Scenario, ADifferenceShows) {
  const auto steps = RunScenario(ParseScenario("next\n----\nnone\n"),
                                 [](const std::string&) { return "run\n"; });
  EXPECT_EQ(FormatScenario(steps), "next\n----\nnext: run\n");
}

}  // namespace
}  // namespace qvg::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--rewrite") qvg::testing::rewrite = true;
  }
  return RUN_ALL_TESTS();
}
