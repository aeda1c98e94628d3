#ifndef SERVER_GENERATOR_TINYWORLD_COMMAND_LINE_H_
#define SERVER_GENERATOR_TINYWORLD_COMMAND_LINE_H_

#include <c10/core/Device.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace qvg::tinyworld {

// Abseil's flags, also with hyphens in their names. Ends the program on an
// unknown flag.
void ParseFlags(int argc, char** argv);

// "cpu", "cuda" or "cuda:N".
absl::StatusOr<c10::Device> ParseDevice(const std::string& text);

// Prints an error in one line; the exit status that goes with `status`.
int ExitStatus(const absl::Status& status);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_COMMAND_LINE_H_
