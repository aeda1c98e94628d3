#ifndef CLIENT_JSON_H_
#define CLIENT_JSON_H_

#include <string>

#include "absl/strings/string_view.h"

namespace qvg {

// "\"key\":\"value\"", with what JSON asks for escaped. `value` is UTF-8.
std::string JsonField(absl::string_view key, absl::string_view value);

}  // namespace qvg

#endif  // CLIENT_JSON_H_
