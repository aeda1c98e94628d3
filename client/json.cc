#include "client/json.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace qvg {

std::string JsonField(absl::string_view key, absl::string_view value) {
  std::string text = absl::StrCat("\"", key, "\":\"");
  for (char c : value) {
    if (c == '"' || c == '\\') {
      text += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&text, "\\u%04x", c);
    } else {
      text += c;
    }
  }
  return text + "\"";
}

}  // namespace qvg
