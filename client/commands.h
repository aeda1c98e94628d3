#ifndef CLIENT_COMMANDS_H_
#define CLIENT_COMMANDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/flags.h"

namespace qvg {

// Exit codes of qvg, beside kInterruptedExitCode.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;     // the server refused, or went away
inline constexpr int kExitUsage = 2;      // an unknown flag, a bad value
inline constexpr int kExitDifferent = 3;  // replay gave other frames

using Arguments = std::vector<std::string>;

// Runs a command with what follows its name; returns the exit code.
int PlayCommand(const Arguments& arguments);
int ReplayCommand(const Arguments& arguments);
int ModelsCommand(const Arguments& arguments);
int InfoCommand(const Arguments& arguments);
int SessionsCommand(const Arguments& arguments);
int CloseCommand(const Arguments& arguments);

// 127.0.0.1:8001, or the environment's QVG_SERVER.
std::string DefaultServer();

// Parses `arguments`, which leave `positional` words. Prints help or an error
// and sets *exit_code if the command has nothing more to do (false).
bool ParseCommand(const char* usage, const char* details,
                  const Arguments& arguments, size_t positional, FlagSet& flags,
                  Arguments* words, int* exit_code);

// Prints one line to standard error; returns `exit_code`.
int Fail(const absl::Status& status, int exit_code);

}  // namespace qvg

#endif  // CLIENT_COMMANDS_H_
