// The qvg command line: a subcommand and its flags.

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands.h"

namespace {

struct Command {
  const char* name;
  const char* what;
  int (*run)(const qvg::Arguments&);
};

constexpr Command kCommands[] = {
    {"play", "play a session and keep the video", &qvg::PlayCommand},
    {"replay", "run a recorded session again and compare", &qvg::ReplayCommand},
    {"models", "list the models of a server", &qvg::ModelsCommand},
    {"info", "tell what a server is and how full", &qvg::InfoCommand},
    {"sessions", "list live sessions", &qvg::SessionsCommand},
    {"close", "end a session", &qvg::CloseCommand},
};

void PrintHelp(FILE* out) {
  absl::FPrintF(out, "usage: qvg COMMAND [flags]\n\nCommands:\n");
  for (const Command& command : kCommands) {
    absl::FPrintF(out, "  %-10s %s\n", command.name, command.what);
  }
  absl::FPrintF(out, "\n`qvg COMMAND --help` tells the flags of a command.\n");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  const qvg::Arguments arguments(argv + (argc > 1 ? 2 : 1), argv + argc);
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run(arguments);
  }
  if (name == "--help" || name == "-h" || name == "help") {
    PrintHelp(stdout);
    return qvg::kExitOk;
  }
  if (name == "--version") {
    absl::PrintF("qvg %s\n", QVG_VERSION);
    return qvg::kExitOk;
  }
  if (name.empty()) {
    PrintHelp(stderr);
    return qvg::kExitUsage;
  }
  return qvg::Fail(absl::InvalidArgumentError(absl::StrCat(
                       "unknown command ", name, "; see qvg --help")),
                   qvg::kExitUsage);
}
