#ifndef SERVER_FLAGS_H_
#define SERVER_FLAGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/generator/registry.h"
#include "server/log/log.h"
#include "server/rpc/rpc_server.h"
#include "server/session/session_manager.h"

namespace qvg {

// What the command line and the environment ask for, checked.
struct ServerConfig {
  bool help = false;     // print HelpText() and exit
  bool version = false;  // print VersionText() and exit
  std::string model;
  ModelOptions model_options;
  int64_t budget_bytes = 0;  // 0: see AutoBudget
  int metrics_port = 0;
  SessionManagerOptions sessions;
  RpcServerOptions rpc;
  absl::Duration drain_time;
  LogLevel log_level = LogLevel::kInfo;
};

// Reads `arguments` (without the program's name) and QVG_* variables for the
// flags that are not among them. Hyphens and underscores are the same.
// INVALID_ARGUMENT, in one line, names the flag at fault. For one call per
// process: the values are those of Abseil's flags.
absl::StatusOr<ServerConfig> ParseFlags(
    const std::vector<std::string>& arguments);

// Every flag with its default, its variable and what it does.
std::string HelpText();
std::string VersionText();

}  // namespace qvg

#endif  // SERVER_FLAGS_H_
