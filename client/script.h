#ifndef CLIENT_SCRIPT_H_
#define CLIENT_SCRIPT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "qvg/v1/types.pb.h"

namespace qvg {

// Parses "forward*40,left*32,idle": controls by name, each held for a number
// of frames (1 without "*N"). Spaces do not matter; an empty text is no
// control at all. INVALID_ARGUMENT names the item at fault.
absl::StatusOr<std::vector<v1::Control>> ParseScript(absl::string_view text);

// Frames that the controls cover.
uint64_t ScriptFrames(const std::vector<v1::Control>& script);

// Cuts the script after `frames` frames.
void TrimScript(uint64_t frames, std::vector<v1::Control>* script);

}  // namespace qvg

#endif  // CLIENT_SCRIPT_H_
