#include <ATen/ATen.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

#include "server/generator/tinyworld/ops_cuda.h"
#include "server/generator/tinyworld/ops_fused.h"
#include "server/generator/tinyworld/render.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

void* Stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

void Check(const kernels::Error& error) {
  TORCH_CHECK(error.ok(), error.message);
}

Rows AsRows(const at::Tensor& t) {
  TORCH_CHECK(t.stride(-1) == 1 && t.scalar_type() == at::kFloat,
              "rows of FP32 expected");
  return {t.const_data_ptr<float>(), t.stride(0)};
}

at::Tensor GroupRows(const at::Tensor& like, int64_t groups) {
  return at::empty({groups, kWidth}, like.options().dtype(at::kFloat));
}

struct ResidualNormFunction : public Function<ResidualNormFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& x,
                               const at::Tensor& y, const at::Tensor& gate,
                               const at::Tensor& shift,
                               const at::Tensor& scale) {
    const at::Tensor x_in = x.contiguous();
    const at::Tensor y_in = y.contiguous();
    const at::Tensor x_out = at::empty_like(x_in);
    const at::Tensor h = at::empty_like(y_in);
    ResidualNormArgs args;
    args.groups = static_cast<int>(x_in.size(0));
    args.x = x_in.const_data_ptr<float>();
    args.y = y_in.const_data_ptr();
    args.gate = AsRows(gate);
    args.shift = AsRows(shift);
    args.scale = AsRows(scale);
    args.x_out = x_out.mutable_data_ptr<float>();
    args.h = h.mutable_data_ptr();
    Check(ResidualNormForward(args, Stream()));
    context->save_for_backward({x_out, y_in, gate, scale});
    context->set_materialize_grads(false);
    return {x_out, h};
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x_out = saved[0];
    const at::Tensor& y = saved[1];
    const int64_t groups = x_out.size(0);
    const at::Tensor x_out_grad =
        grads[0].defined() ? grads[0].contiguous() : at::Tensor();
    const at::Tensor h_grad =
        grads[1].defined() ? grads[1].contiguous() : at::zeros_like(y);
    const at::Tensor x_grad = at::empty_like(x_out);
    const at::Tensor y_grad = at::empty_like(y);
    const at::Tensor gate_grad = GroupRows(y, groups);
    const at::Tensor shift_grad = GroupRows(y, groups);
    const at::Tensor scale_grad = GroupRows(y, groups);
    ResidualNormGradArgs args;
    args.groups = static_cast<int>(groups);
    args.x_out = x_out.const_data_ptr<float>();
    args.y = y.const_data_ptr();
    args.gate = AsRows(saved[2]);
    args.scale = AsRows(saved[3]);
    args.x_out_grad =
        x_out_grad.defined() ? x_out_grad.const_data_ptr<float>() : nullptr;
    args.h_grad = h_grad.const_data_ptr();
    args.x_grad = x_grad.mutable_data_ptr<float>();
    args.y_grad = y_grad.mutable_data_ptr();
    args.gate_grad = gate_grad.mutable_data_ptr<float>();
    args.shift_grad = shift_grad.mutable_data_ptr<float>();
    args.scale_grad = scale_grad.mutable_data_ptr<float>();
    Check(ResidualNormBackward(args, Stream()));
    return {x_grad, y_grad, gate_grad, shift_grad, scale_grad};
  }
};

struct QueryKeyNormFunction : public Function<QueryKeyNormFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& qkv,
                               const at::Tensor& rays, const at::Tensor& gain) {
    const int64_t groups = qkv.size(0);
    const at::Tensor qkv_in = qkv.contiguous();
    const at::Tensor rays_in = rays.contiguous();
    const at::Tensor gain_in = gain.contiguous();
    const at::Tensor q = at::empty({groups, kTokens, kWidth}, qkv_in.options());
    const at::Tensor k = at::empty_like(q);
    const at::Tensor v = at::empty_like(q);
    QueryKeyNormArgs args;
    args.groups = static_cast<int>(groups);
    args.copies = static_cast<int>(groups / rays.size(0));
    args.qkv = qkv_in.const_data_ptr();
    args.rays = rays_in.const_data_ptr();
    args.gain = gain_in.const_data_ptr<float>();
    args.q = q.mutable_data_ptr();
    args.k = k.mutable_data_ptr();
    args.v = v.mutable_data_ptr();
    Check(QueryKeyNormForward(args, Stream()));
    context->save_for_backward({qkv_in, rays_in, gain_in});
    return {q, k, v};
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& qkv = saved[0];
    const at::Tensor& rays = saved[1];
    const int64_t groups = qkv.size(0);
    const at::Tensor q_grad = grads[0].contiguous();
    const at::Tensor k_grad = grads[1].contiguous();
    const at::Tensor v_grad = grads[2].contiguous();
    const at::Tensor qkv_grad = at::empty_like(qkv);
    const auto fp32 = qkv.options().dtype(at::kFloat);
    const at::Tensor rays_grad =
        at::empty({groups, kRayPlaces, 2 * kWidth}, fp32);
    const at::Tensor gain_grad = at::empty({groups, 2, kWidth}, fp32);
    QueryKeyNormGradArgs args;
    args.groups = static_cast<int>(groups);
    args.copies = static_cast<int>(groups / rays.size(0));
    args.qkv = qkv.const_data_ptr();
    args.rays = rays.const_data_ptr();
    args.gain = saved[2].const_data_ptr<float>();
    args.q_grad = q_grad.const_data_ptr();
    args.k_grad = k_grad.const_data_ptr();
    args.v_grad = v_grad.const_data_ptr();
    args.qkv_grad = qkv_grad.mutable_data_ptr();
    args.rays_grad = rays_grad.mutable_data_ptr<float>();
    args.gain_grad = gain_grad.mutable_data_ptr<float>();
    Check(QueryKeyNormBackward(args, Stream()));
    return {qkv_grad,
            rays_grad.view({rays.size(0), -1, kRayPlaces, 2 * kWidth})
                .sum(1)
                .to(rays.scalar_type()),
            gain_grad.sum(0)};
  }
};

}  // namespace

bool FusedOpsAvailable(const at::Tensor& tokens) {
  return tokens.is_cuda() && tokens.scalar_type() == at::kBFloat16;
}

std::tuple<at::Tensor, at::Tensor> FusedResidualNorm(const at::Tensor& x,
                                                     const at::Tensor& y,
                                                     const at::Tensor& gate,
                                                     const at::Tensor& shift,
                                                     const at::Tensor& scale) {
  const variable_list out =
      ResidualNormFunction::apply(x, y, gate, shift, scale);
  return {out[0], out[1]};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> FusedQueryKeyNorm(
    const at::Tensor& qkv, const at::Tensor& rays, const at::Tensor& gain) {
  const variable_list out = QueryKeyNormFunction::apply(qkv, rays, gain);
  return {out[0], out[1], out[2]};
}

void FusedMerge(const ChunkRange& range, const at::Tensor& partial_out,
                const at::Tensor& partial_lse, const at::Tensor& out,
                const at::Tensor& lse) {
  TORCH_CHECK(partial_out.is_contiguous() && partial_lse.is_contiguous() &&
                  out.is_contiguous() && lse.is_contiguous(),
              "contiguous tensors expected");
  MergeArgs args;
  args.sequences = static_cast<int>(out.size(0));
  args.chunks = static_cast<int>(out.size(1));
  args.chunk_queries = static_cast<int>(out.size(2));
  args.first = range.first;
  args.stride = range.stride;
  args.groups = range.groups;
  args.length = range.length;
  args.partial_out = partial_out.const_data_ptr();
  args.partial_lse = partial_lse.const_data_ptr<float>();
  args.out = out.mutable_data_ptr<float>();
  args.lse = lse.mutable_data_ptr<float>();
  Check(MergeAttention(args, Stream()));
}

void FusedRender(const at::Tensor& cells, const at::Tensor& poses,
                 const at::Tensor& tokens) {
  TORCH_CHECK(
      cells.is_contiguous() && poses.is_contiguous() && tokens.is_contiguous(),
      "contiguous tensors expected");
  Check(RenderEpisodesCuda(
      cells.const_data_ptr<uint8_t>(), poses.const_data_ptr<float>(),
      static_cast<int>(poses.size(0)), static_cast<int>(poses.size(1)),
      tokens.mutable_data_ptr<float>(), Stream()));
}

}  // namespace qvg::tinyworld
