#include <ATen/ops/_scaled_dot_product_cudnn_attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <functional>
#include <string>

#include "tests/bench/device_memory.h"
#include "tests/bench/torch_attention.h"

namespace qvg::bench {
namespace {

// Operands of all sessions as one batch, BF16.
struct Operands {
  at::Tensor q, k, v;
};

Operands MakeOperands(const AttentionShape& shape, int sessions) {
  const auto random = [&](int64_t tokens) {
    return at::randn({sessions, shape.heads, tokens, shape.head_dim},
                     at::TensorOptions(at::kBFloat16).device(at::kCUDA));
  };
  return {random(shape.queries), random(shape.keys), random(shape.keys)};
}

Arm TorchArm(const std::string& name, const Operands& operands,
             std::function<void(const Operands&)> attend) {
  const auto bytes =
      static_cast<int64_t>(operands.k.nbytes() + operands.v.nbytes());
  Arm arm = DeviceArm(name, bytes, 1, [=](int, kernels::CudaStream stream) {
    const c10::InferenceMode inference;
    const c10::cuda::CUDAStreamGuard on(
        c10::cuda::getStreamFromExternal(stream, c10::cuda::current_device()));
    attend(operands);
  });
  arm.baseline = true;
  return arm;
}

}  // namespace

std::vector<Arm> TorchDeviceAttentionArms(const AttentionShape& shape,
                                          int sessions) {
  const Operands operands = MakeOperands(shape, sessions);
  std::vector<Arm> arms = {
      TorchArm("torch_flash", operands, [](const Operands& o) {
        at::_scaled_dot_product_flash_attention(o.q, o.k, o.v);
      })};
  // cuDNN has no kernel for wider heads.
  if (shape.head_dim <= 128) {
    arms.push_back(TorchArm("torch_cudnn", operands, [](const Operands& o) {
      at::_scaled_dot_product_cudnn_attention(o.q, o.k, o.v, {}, false);
    }));
  }
  return arms;
}

}  // namespace qvg::bench
