#ifndef KERNELS_ERROR_H_
#define KERNELS_ERROR_H_

namespace qvg::kernels {

// What a kernel returns: nothing throws here and nothing allocates, so an
// error is a code and a string literal that names the argument at fault.
struct [[nodiscard]] Error {
  enum class Code {
    kOk,
    kInvalidArgument,
    kUnimplemented,
    kOutOfMemory,  // of a device
    kDevice,       // anything else that CUDA says
  };

  Code code = Code::kOk;
  const char* message = "";

  bool ok() const { return code == Code::kOk; }

  static Error Ok() { return {}; }
  static Error Invalid(const char* message) {
    return {Code::kInvalidArgument, message};
  }
  static Error Unimplemented(const char* message) {
    return {Code::kUnimplemented, message};
  }
};

}  // namespace qvg::kernels

#endif  // KERNELS_ERROR_H_
