#ifndef SERVER_GENERATOR_CHECKPOINT_SAFETENSORS_HEADER_H_
#define SERVER_GENERATOR_CHECKPOINT_SAFETENSORS_HEADER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/generator/checkpoint/dtype.h"

namespace qvg {

// One tensor as the header of a safetensors file describes it.
struct SafetensorsEntry {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  int64_t begin = 0;  // bytes, from the start of the data
  int64_t end = 0;
};

struct SafetensorsHeader {
  static constexpr int64_t kMaxBytes = int64_t{16} << 20;
  static constexpr int kMaxRank = 8;

  std::vector<SafetensorsEntry> entries;  // in the order of their data
  std::map<std::string, std::string> metadata;
};

// Parses the JSON of a header and checks it against `data_bytes`, the length
// of the data: every field known and given once, no name twice, shapes of at
// most kMaxRank dimensions whose bytes are what the offsets say, and offsets
// that cover the data without gap, overlap or rest. DATA_LOSS says what is
// wrong. Memory and time grow with the length of the text alone, the stack not
// at all.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view json,
                                                         int64_t data_bytes);

}  // namespace qvg

#endif  // SERVER_GENERATOR_CHECKPOINT_SAFETENSORS_HEADER_H_
