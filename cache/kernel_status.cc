#include "cache/kernel_status.h"

namespace qvg {

absl::Status ToStatus(const kernels::Error& error) {
  switch (error.code) {
    case kernels::Error::Code::kOk:
      return absl::OkStatus();
    case kernels::Error::Code::kUnimplemented:
      return absl::UnimplementedError(error.message);
    case kernels::Error::Code::kOutOfMemory:
      return absl::ResourceExhaustedError(error.message);
    case kernels::Error::Code::kInvalidArgument:
    case kernels::Error::Code::kDevice:
      break;
  }
  return absl::InternalError(error.message);
}

}  // namespace qvg
