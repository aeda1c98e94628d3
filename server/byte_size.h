#ifndef SERVER_BYTE_SIZE_H_
#define SERVER_BYTE_SIZE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace qvg {

// A number of bytes as people write it: "8GiB", "512MiB", "64KiB", "4096", or
// "auto", which is 0. A flag type.
struct ByteSize {
  int64_t bytes = 0;
};

bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error);
std::string AbslUnparseFlag(ByteSize size);

}  // namespace qvg

#endif  // SERVER_BYTE_SIZE_H_
