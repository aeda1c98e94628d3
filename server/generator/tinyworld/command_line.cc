#include "server/generator/tinyworld/command_line.h"

#include <algorithm>
#include <cstring>
#include <iostream>

#include "absl/flags/parse.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace qvg::tinyworld {

void ParseFlags(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    char* flag = argv[i];
    if (!absl::StartsWith(flag, "--")) continue;
    char* const end = flag + std::strcspn(flag, "=");
    std::replace(flag + 2, end, '-', '_');
  }
  absl::ParseCommandLine(argc, argv);
}

absl::StatusOr<c10::Device> ParseDevice(const std::string& text) {
  if (text == "cpu" || text == "cuda" || absl::StartsWith(text, "cuda:")) {
    try {
      return c10::Device(text);
    } catch (const std::exception&) {
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("device: '", text, "' is none of cpu, cuda, cuda:N"));
}

int ExitStatus(const absl::Status& status) {
  if (status.ok()) return 0;
  std::cerr << status.message() << '\n';
  return 1;
}

}  // namespace qvg::tinyworld
