#include "tests/bench/torch_attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>

#include <string>

namespace qvg::bench {
namespace {

Arm TorchArm(const AttentionShape& shape, at::ScalarType type,
             const std::string& name) {
  const auto random = [&](int64_t tokens) {
    return at::randn({1, shape.heads, tokens, shape.head_dim}).to(type);
  };
  const at::Tensor q = random(shape.queries);
  const at::Tensor k = random(shape.keys);
  const at::Tensor v = random(shape.keys);
  const auto run = [=] {
    c10::InferenceMode inference;
    at::_scaled_dot_product_flash_attention_for_cpu(q, k, v);
  };
  return {name, static_cast<int64_t>(k.nbytes() + v.nbytes()), run, true};
}

}  // namespace

std::vector<Arm> TorchAttentionArms(const AttentionShape& shape, int threads) {
  at::set_num_threads(threads);
  return {TorchArm(shape, at::kFloat, "torch_flash_f32"),
          TorchArm(shape, at::kBFloat16, "torch_flash_bf16")};
}

}  // namespace qvg::bench
