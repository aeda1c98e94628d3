#ifndef CLIENT_SHA256_H_
#define CLIENT_SHA256_H_

#include <string>

#include "absl/strings/string_view.h"

namespace qvg {

// The 32 bytes of the SHA-256 of `data`.
std::string Sha256(absl::string_view data);

}  // namespace qvg

#endif  // CLIENT_SHA256_H_
