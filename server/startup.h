#ifndef SERVER_STARTUP_H_
#define SERVER_STARTUP_H_

#include "server/generator/registry.h"

namespace qvg {

// The whole program: flags, model, memory, servers; serves until SIGTERM or
// SIGINT, then drains. Returns the exit code (signals.h). What keeps it from
// starting is said in one line on stderr.
int RunServer(int argc, char** argv, const ModelRegistry& registry);

}  // namespace qvg

#endif  // SERVER_STARTUP_H_
