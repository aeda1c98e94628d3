#include "tests/golden/run_golden.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <map>
#include <vector>

#include "tests/golden/groups.h"

namespace qvg::golden {
namespace {

using GroupFunction = void (*)(const GoldenCase& golden, Checks* checks);

const std::map<std::string, GroupFunction>& Groups() {
  static const auto* const groups = new std::map<std::string, GroupFunction>{
      {"inputs", &CheckInputs},
      {"residual_int2", &CheckResidual},
      {"residual_int4", &CheckResidual},
      {"assign", &CheckAssign},
      {"kmeans", &CheckKmeans},
      {"qvg", &CheckCodec},
      {"qvg_pro", &CheckCodec},
      {"rtn", &CheckRtn},
      {"kivi", &CheckKivi},
      {"quarot", &CheckQuarot},
      {"attention", &CheckAttention},
  };
  return *groups;
}

// The names of the folders in a folder, sorted.
std::vector<std::string> Folders(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.is_directory()) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void RunCase(GroupFunction group, const std::string& root,
             const std::string& name, Checks* checks) {
  checks->Enter(name);
  try {
    group(GoldenCase(root, name), checks);
  } catch (const std::exception& e) {
    checks->Expect(false, e.what());
  }
}

}  // namespace

bool RunGolden(const std::string& directory, std::ostream* report,
               std::ostream* failures) {
  if (!std::filesystem::is_directory(directory)) {
    *failures << "golden_dir: '" << directory << "' is no folder\n";
    return false;
  }
  int passed = 0;
  int failed = 0;
  for (const std::string& name : Folders(directory)) {
    const auto group = Groups().find(name);
    if (group == Groups().end()) {
      *report << name << ": not known, skipped\n";
      continue;
    }
    Checks checks(failures);
    for (const std::string& golden : Folders(directory + "/" + name)) {
      RunCase(group->second, directory, name + "/" + golden, &checks);
    }
    *report << name << ": " << checks.passed() << " passed, " << checks.failed()
            << " failed" << std::endl;
    passed += checks.passed();
    failed += checks.failed();
  }
  if (passed + failed == 0) {
    *failures << "golden_dir: '" << directory << "' has no known group\n";
  }
  return passed > 0 && failed == 0;
}

}  // namespace qvg::golden
