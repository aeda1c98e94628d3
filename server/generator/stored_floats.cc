#include "server/generator/stored_floats.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "kernels/numeric.h"

namespace qvg {

absl::StatusOr<std::vector<float>> ToFloats(const StoredTensor& tensor) {
  if (tensor.dtype != Dtype::kBf16 && tensor.dtype != Dtype::kF32) {
    return absl::DataLossError(absl::StrCat(
        tensor.name, " is ", ToString(tensor.dtype), "; must be BF16 or F32"));
  }
  const size_t size = static_cast<size_t>(ElementBytes(tensor.dtype));
  std::vector<float> values(tensor.bytes.size() / size);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint8_t* element = tensor.bytes.data() + i * size;
    if (tensor.dtype == Dtype::kF32) {
      std::memcpy(&values[i], element, size);
      continue;
    }
    uint16_t bits = 0;
    std::memcpy(&bits, element, size);
    values[i] = kernels::BFloat16ToFloat(bits);
  }
  return values;
}

}  // namespace qvg
