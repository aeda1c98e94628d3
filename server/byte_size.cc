#include "server/byte_size.h"

#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace qvg {
namespace {

constexpr std::pair<absl::string_view, int> kUnits[] = {
    {"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"", 0}};

}  // namespace

bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error) {
  if (text == "auto") {
    size->bytes = 0;
    return true;
  }
  for (const auto& [unit, shift] : kUnits) {
    absl::string_view digits = text;
    if (!absl::ConsumeSuffix(&digits, unit)) continue;
    int64_t count = 0;
    if (absl::SimpleAtoi(digits, &count) && count > 0 &&
        count <= std::numeric_limits<int64_t>::max() >> shift) {
      size->bytes = count << shift;
      return true;
    }
    break;
  }
  *error = "want auto or a number of bytes such as 8GiB, 512MiB or 4096";
  return false;
}

std::string AbslUnparseFlag(ByteSize size) {
  if (size.bytes == 0) return "auto";
  for (const auto& [unit, shift] : kUnits) {
    if (size.bytes % (int64_t{1} << shift) != 0) continue;
    return absl::StrCat(size.bytes >> shift, unit);
  }
  return absl::StrCat(size.bytes);
}

}  // namespace qvg
