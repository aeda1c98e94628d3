#ifndef CACHE_SEGMENTS_H_
#define CACHE_SEGMENTS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "cache/workspace.h"
#include "kernels/executor.h"
#include "kernels/packed_tensor.h"

namespace qvg {

// Keys (0) or values (1).
inline const kernels::PackedTensor& TensorOf(const kernels::KvSegment& segment,
                                             int64_t tensor) {
  return tensor == 0 ? segment.keys : segment.values;
}

// As errors call it: "layers[3].keys".
std::string TensorName(int64_t layer, int64_t tensor);

// Whether unpacked `layers` have only finite numbers, which stay finite as
// BF16. INVALID_ARGUMENT names layer and tensor. Waits for a device.
absl::Status CheckFinite(absl::Span<const kernels::KvSegment> layers,
                         const kernels::Executor& executor,
                         Workspace& workspace);

}  // namespace qvg

#endif  // CACHE_SEGMENTS_H_
