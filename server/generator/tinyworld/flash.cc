#include "server/generator/tinyworld/flash.h"

#include <ATen/ATen.h>

#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

constexpr double kScale = 0.125;
static_assert(kHeadDim == 64);

bool HasFlashKernels(const at::Tensor& q) {
  return q.is_cuda() && q.scalar_type() == at::kBFloat16;
}

// (B,N,H,D) to (B,H,N,D).
at::Tensor HeadsFirst(const at::Tensor& t) { return t.transpose(1, 2); }

at::Tensor Logits(const at::Tensor& q, const at::Tensor& k) {
  return at::matmul(HeadsFirst(q), HeadsFirst(k).transpose(-1, -2))
             .to(at::kFloat) *
         kScale;
}

FlashResult PlainForward(const at::Tensor& q, const at::Tensor& k,
                         const at::Tensor& v) {
  const at::Tensor logits = Logits(q, k);
  FlashResult result;
  result.lse = logits.logsumexp(-1);
  const at::Tensor p = (logits - result.lse.unsqueeze(-1)).exp();
  result.out = HeadsFirst(at::matmul(p.to(v.scalar_type()), HeadsFirst(v)));
  return result;
}

FlashGrads PlainBackward(const at::Tensor& out_grad, const at::Tensor& q,
                         const at::Tensor& k, const at::Tensor& v,
                         const at::Tensor& out, const at::Tensor& lse) {
  const at::Tensor p = (Logits(q, k) - lse.unsqueeze(-1)).exp();
  const at::Tensor d = HeadsFirst(out_grad).to(at::kFloat);
  const at::Tensor delta = (d * HeadsFirst(out)).sum(-1, /*keepdim=*/true);
  const at::Tensor p_grad =
      at::matmul(d, HeadsFirst(v).to(at::kFloat).transpose(-1, -2));
  const at::Tensor logit_grad =
      (p * (p_grad - delta) * kScale).to(q.scalar_type());
  return {HeadsFirst(at::matmul(logit_grad, HeadsFirst(k))),
          HeadsFirst(at::matmul(logit_grad.transpose(-1, -2), HeadsFirst(q))),
          HeadsFirst(at::matmul(p.transpose(-1, -2), d)).to(v.scalar_type())};
}

}  // namespace

FlashResult FlashForward(const at::Tensor& q, const at::Tensor& k,
                         const at::Tensor& v) {
  if (!HasFlashKernels(q)) return PlainForward(q, k, v);
  const auto result = at::_flash_attention_forward(
      q, k, v, /*cum_seq_q=*/{}, /*cum_seq_k=*/{}, q.size(1), k.size(1),
      /*dropout_p=*/0.0, /*is_causal=*/false, /*return_debug_mask=*/false,
      kScale);
  return {std::get<0>(result), std::get<1>(result)};
}

FlashGrads FlashBackward(const at::Tensor& out_grad, const at::Tensor& q,
                         const at::Tensor& k, const at::Tensor& v,
                         const at::Tensor& out, const at::Tensor& lse) {
  if (!HasFlashKernels(q)) return PlainBackward(out_grad, q, k, v, out, lse);
  const at::Tensor no_state = at::empty({2}, q.options().dtype(at::kLong));
  auto [q_grad, k_grad, v_grad] = at::_flash_attention_backward(
      out_grad, q, k, v, out, lse, /*cum_seq_q=*/{}, /*cum_seq_k=*/{},
      q.size(1), k.size(1), /*dropout_p=*/0.0, /*is_causal=*/false, no_state,
      no_state, kScale);
  return {q_grad, k_grad, v_grad};
}

}  // namespace qvg::tinyworld
