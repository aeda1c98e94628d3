#ifndef CACHE_KERNEL_STATUS_H_
#define CACHE_KERNEL_STATUS_H_

#include "absl/status/status.h"
#include "kernels/error.h"

namespace qvg {

// Arguments of kernels are ours: what they refuse is INTERNAL. UNIMPLEMENTED
// where the device cannot run them, RESOURCE_EXHAUSTED if its memory is full.
absl::Status ToStatus(const kernels::Error& error);

}  // namespace qvg

#endif  // CACHE_KERNEL_STATUS_H_
