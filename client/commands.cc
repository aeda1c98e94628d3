#include "client/commands.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/status.h"

namespace qvg {

std::string DefaultServer() {
  const char* server = std::getenv("QVG_SERVER");
  return server != nullptr && *server != '\0' ? server : "127.0.0.1:8001";
}

bool ParseCommand(const char* usage, const char* details,
                  const Arguments& arguments, size_t positional, FlagSet& flags,
                  Arguments* words, int* exit_code) {
  bool help = false;
  flags.Add("help", &help, "print this");
  absl::StatusOr<Arguments> rest = flags.Parse(arguments);
  absl::Status status = rest.status();
  if (status.ok() && !help && rest->size() != positional) {
    status = absl::InvalidArgumentError(absl::StrCat("usage: ", usage));
  }
  if (!status.ok()) {
    *exit_code = Fail(status, kExitUsage);
    return false;
  }
  if (help) {
    absl::PrintF("usage: %s\n\n%s\n\nFlags (hyphens or underscores):\n%s",
                 usage, details, flags.Help());
    *exit_code = kExitOk;
    return false;
  }
  *words = *std::move(rest);
  return true;
}

int Fail(const absl::Status& status, int exit_code) {
  absl::FPrintF(stderr, "qvg: %s\n", OneLine(status));
  return exit_code;
}

}  // namespace qvg
