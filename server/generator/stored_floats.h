#ifndef SERVER_GENERATOR_STORED_FLOATS_H_
#define SERVER_GENERATOR_STORED_FLOATS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "server/generator/checkpoint/safetensors.h"

namespace qvg {

// The elements of a BF16 or FP32 tensor. DATA_LOSS, with its name, for any
// other type.
absl::StatusOr<std::vector<float>> ToFloats(const StoredTensor& tensor);

}  // namespace qvg

#endif  // SERVER_GENERATOR_STORED_FLOATS_H_
