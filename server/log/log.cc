#include "server/log/log.h"

#include <unistd.h>

#include <atomic>

#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace qvg {
namespace {

std::atomic<LogLevel> lowest{LogLevel::kInfo};

}  // namespace

bool ParseLogLevel(absl::string_view text, LogLevel* level) {
  if (text == "info") {
    *level = LogLevel::kInfo;
  } else if (text == "warning") {
    *level = LogLevel::kWarning;
  } else if (text == "error") {
    *level = LogLevel::kError;
  } else {
    return false;
  }
  return true;
}

void SetLogLevel(LogLevel level) { lowest = level; }

void LogLine(LogLevel level, absl::string_view message) {
  if (level < lowest) return;
  std::string line =
      absl::StrCat(std::string(1, "IWE"[static_cast<int>(level)]), " ",
                   absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(),
                                    absl::UTCTimeZone()),
                   " ", message);
  for (char& c : line) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  line += '\n';
  // One call a line, so that lines of several threads do not mix. There is
  // nobody to tell if stderr is gone.
  [[maybe_unused]] const ssize_t written =
      write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace qvg
