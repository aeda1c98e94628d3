#include "client/script.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace qvg {
namespace {

constexpr uint32_t kMaxFrames = 1000000;

bool IsName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-';
  });
}

absl::StatusOr<v1::Control> ParseItem(absl::string_view item) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(item, absl::MaxSplits('*', 1));
  v1::Control control;
  control.set_name(std::string(absl::StripAsciiWhitespace(parts.first)));
  control.set_frames(1);
  if (!IsName(control.name())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "script has \"", item, "\"; an item is NAME or NAME*FRAMES"));
  }
  if (!absl::StrContains(item, '*')) return control;
  uint32_t frames = 0;
  if (!absl::SimpleAtoi(parts.second, &frames) || frames < 1 ||
      frames > kMaxFrames) {
    return absl::InvalidArgumentError(absl::StrCat(
        "script has \"", item, "\"; frames must be 1 to ", kMaxFrames));
  }
  control.set_frames(frames);
  return control;
}

}  // namespace

absl::StatusOr<std::vector<v1::Control>> ParseScript(absl::string_view text) {
  std::vector<v1::Control> script;
  if (absl::StripAsciiWhitespace(text).empty()) return script;
  for (absl::string_view item : absl::StrSplit(text, ',')) {
    absl::StatusOr<v1::Control> control =
        ParseItem(absl::StripAsciiWhitespace(item));
    if (!control.ok()) return control.status();
    script.push_back(*std::move(control));
  }
  return script;
}

uint64_t ScriptFrames(const std::vector<v1::Control>& script) {
  uint64_t frames = 0;
  for (const v1::Control& control : script) frames += control.frames();
  return frames;
}

void TrimScript(uint64_t frames, std::vector<v1::Control>* script) {
  size_t kept = 0;
  for (; kept < script->size() && frames > 0; ++kept) {
    v1::Control& control = (*script)[kept];
    control.set_frames(std::min<uint64_t>(control.frames(), frames));
    frames -= control.frames();
  }
  script->resize(kept);
}

}  // namespace qvg
