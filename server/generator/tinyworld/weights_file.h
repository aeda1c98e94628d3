#ifndef SERVER_GENERATOR_TINYWORLD_WEIGHTS_FILE_H_
#define SERVER_GENERATOR_TINYWORLD_WEIGHTS_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/generator/tinyworld/parameters.h"

namespace qvg::tinyworld {

// Writes all parameters as BF16 in safetensors form, by the table's names.
absl::Status SaveWeights(const Parameters& parameters, const std::string& path);

// Reads them: FP32 on the CPU. INVALID_ARGUMENT names the tensor that is
// missing or of another shape; errors of SafetensorsFile::Open.
absl::StatusOr<Parameters> LoadWeights(const std::string& path);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_WEIGHTS_FILE_H_
