#ifndef SERVER_LOG_LOG_H_
#define SERVER_LOG_LOG_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace qvg {

enum class LogLevel { kInfo, kWarning, kError };

// Parses "info", "warning" or "error"; false for anything else.
bool ParseLogLevel(absl::string_view text, LogLevel* level);

// What is below `level` is not written from now on. Thread-safe.
void SetLogLevel(LogLevel level);

// Writes one line to stderr: level letter, UTC time, message; control
// characters of the message, which may come from outside, become spaces.
// Thread-safe; lines never mix.
void LogLine(LogLevel level, absl::string_view message);

template <typename... Parts>
void LogInfo(const Parts&... parts) {
  LogLine(LogLevel::kInfo, absl::StrCat(parts...));
}
template <typename... Parts>
void LogWarning(const Parts&... parts) {
  LogLine(LogLevel::kWarning, absl::StrCat(parts...));
}
template <typename... Parts>
void LogError(const Parts&... parts) {
  LogLine(LogLevel::kError, absl::StrCat(parts...));
}

}  // namespace qvg

#endif  // SERVER_LOG_LOG_H_
