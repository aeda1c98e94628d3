#include "server/generator/tinyworld/block_attention.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "server/generator/tinyworld/flash.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

constexpr int kCopies = 2;

AttentionRectangle Rectangle(int stride, int groups, int first_query,
                             int queries, int first_key, int keys) {
  return {{first_query, stride, groups, queries},
          {first_key, stride, groups, keys}};
}

std::vector<AttentionRectangle> WindowPlan(int chunks, int window) {
  std::vector<AttentionRectangle> plan;
  for (int i = 1; i < std::min(chunks, window); ++i) {
    plan.push_back(Rectangle(1, 1, i, 1, 0, i));
  }
  if (chunks > window) {
    plan.push_back(Rectangle(1, chunks - window, window, 1, 0, window));
  }
  return plan;
}

std::vector<AttentionRectangle> FullPlan(int chunks) {
  std::vector<AttentionRectangle> plan;
  for (int half = 1; half < chunks; half *= 2) {
    const int whole = chunks / (2 * half);
    const int rest = chunks - whole * 2 * half;
    if (whole > 0) {
      plan.push_back(Rectangle(2 * half, whole, half, half, 0, half));
    }
    if (rest > half) {
      const int first = whole * 2 * half;
      plan.push_back(
          Rectangle(2 * half, 1, first + half, rest - half, first, half));
    }
  }
  return plan;
}

// Rows of the range's chunks of `t` (S,C,W,4,64): (S*groups,length*W,4,64).
// Ranges may overlap. A view of (S,groups,...) with `View`.
at::Tensor View(const at::Tensor& t, const ChunkRange& range) {
  const int64_t row = t.stride(2);
  const int64_t chunk = t.stride(1);
  return t.as_strided(
      {t.size(0), range.groups, range.length * t.size(2), kHeads, kHeadDim},
      {t.stride(0), range.stride * chunk, row, kHeadDim, 1},
      t.storage_offset() + range.first * chunk);
}

at::Tensor Select(const at::Tensor& t, const ChunkRange& range) {
  return View(t, range).flatten(0, 1);
}

// The same of `lse` (S,C,4,W): (S*groups,4,length*W), contiguous, as the
// flash kernels read it whatever its strides say.
at::Tensor SelectLse(const at::Tensor& lse, const ChunkRange& range) {
  const int64_t chunk = lse.stride(1);
  const int64_t queries = lse.size(3);
  return lse
      .as_strided({lse.size(0), range.groups, range.length, kHeads, queries},
                  {lse.stride(0), range.stride * chunk, chunk, queries, 1},
                  range.first * chunk)
      .transpose(2, 3)
      .reshape({-1, kHeads, range.length * queries})
      .contiguous();
}

void PlainMerge(const ChunkRange& range, const FlashResult& partial,
                const at::Tensor& out, const at::Tensor& lse) {
  const int64_t queries = lse.size(3);
  const at::Tensor old_lse = lse.as_strided(
      {lse.size(0), range.groups, range.length, kHeads, queries},
      {lse.stride(0), range.stride * lse.stride(1), lse.stride(1), queries, 1},
      range.first * lse.stride(1));
  const at::Tensor new_lse =
      partial.lse
          .view({lse.size(0), range.groups, kHeads, range.length, queries})
          .transpose(2, 3);
  const at::Tensor merged = at::logaddexp(old_lse, new_lse);
  const auto weight = [](const at::Tensor& log) {  // (S,g,len*W,4,1)
    return log.exp().transpose(-1, -2).flatten(2, 3).unsqueeze(-1);
  };
  const at::Tensor old_out = View(out, range);
  old_out.copy_(old_out * weight(old_lse - merged) +
                partial.out.reshape(old_out.sizes()) *
                    weight(new_lse - merged));
  old_lse.copy_(merged);
}

void Merge(const ChunkRange& range, const FlashResult& partial,
           const at::Tensor& out, const at::Tensor& lse) {
  if (FusedOpsAvailable(partial.out)) {
    FusedMerge(range, partial.out.contiguous(), partial.lse.contiguous(), out,
               lse);
  } else {
    PlainMerge(range, partial, out, lse);
  }
}

// Adds `grad` (S*groups,length*W,4,64) to the range's rows of `sum`, which
// overlap where the range's stride is shorter than its length.
void AddTo(const at::Tensor& sum, const ChunkRange& range,
           const at::Tensor& grad) {
  const int step = std::min(range.stride, range.length);
  const int64_t rows = sum.size(2);
  const at::Tensor parts =
      grad.reshape({sum.size(0), range.groups, -1, kHeads, kHeadDim});
  for (int i = 0; i < range.length; i += step) {
    ChunkRange part = range;
    part.first += i;
    part.length = std::min(step, range.length - i);
    View(sum, part).add_(parts.narrow(2, i * rows, part.length * rows));
  }
}

// Clean rows of (G,128,256): (S,C,128,4,64), contiguous.
at::Tensor CleanRows(const at::Tensor& t, int64_t sequences) {
  return t.view({sequences, -1, kCopies, kTokens, kHeads, kHeadDim})
      .select(2, 0)
      .contiguous();
}

// Both copies' rows: (S,C,256,4,64), a view.
at::Tensor AllRows(const at::Tensor& t, int64_t sequences) {
  return t.view({sequences, -1, kCopies * kTokens, kHeads, kHeadDim});
}

at::Tensor Heads(const at::Tensor& t) {
  return t.view({-1, kTokens, kHeads, kHeadDim});
}

void AddClean(const at::Tensor& grad, const at::Tensor& clean) {
  grad.view({clean.size(0), -1, kCopies, kTokens, kHeads, kHeadDim})
      .select(2, 0)
      .add_(clean);
}

struct BlockAttentionFunction : public Function<BlockAttentionFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q,
                            const at::Tensor& k, const at::Tensor& v,
                            int64_t sequences, int64_t window) {
    const FlashResult own = FlashForward(Heads(q), Heads(k), Heads(v));
    const at::Tensor out =
        AllRows(own.out.contiguous(), sequences).to(at::kFloat, false, true);
    const int64_t chunks = out.size(1);
    const at::Tensor lse =
        own.lse.view({sequences, chunks, kCopies, kHeads, kTokens})
            .transpose(2, 3)
            .reshape({sequences, chunks, kHeads, kCopies * kTokens})
            .contiguous();
    const at::Tensor keys = CleanRows(k, sequences);
    const at::Tensor values = CleanRows(v, sequences);
    const at::Tensor queries = AllRows(q, sequences);
    for (const AttentionRectangle& r :
         AttentionPlan(static_cast<int>(chunks), static_cast<int>(window))) {
      Merge(r.queries,
            FlashForward(Select(queries, r.queries), Select(keys, r.keys),
                         Select(values, r.keys)),
            out, lse);
    }
    const at::Tensor result = out.to(q.scalar_type()).view(q.sizes());
    context->save_for_backward({q, k, v, result, lse});
    context->saved_data["sequences"] = sequences;
    context->saved_data["window"] = window;
    return result;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const int64_t sequences = context->saved_data["sequences"].toInt();
    const int64_t window = context->saved_data["window"].toInt();
    const at::Tensor& q = saved[0];
    const at::Tensor& k = saved[1];
    const at::Tensor& v = saved[2];
    const at::Tensor& lse = saved[4];
    const at::Tensor grad = grads[0].contiguous();
    const int64_t chunks = lse.size(1);
    const at::Tensor own_lse =
        lse.view({sequences, chunks, kHeads, kCopies, kTokens})
            .transpose(2, 3)
            .reshape({-1, kHeads, kTokens});
    const FlashGrads own = FlashBackward(Heads(grad), Heads(q), Heads(k),
                                         Heads(v), Heads(saved[3]), own_lse);
    const at::Tensor q_grad = own.q.contiguous().view(q.sizes());
    const at::Tensor k_grad = own.k.contiguous().view(q.sizes());
    const at::Tensor v_grad = own.v.contiguous().view(q.sizes());
    const at::Tensor keys = CleanRows(k, sequences);
    const at::Tensor values = CleanRows(v, sequences);
    const at::Tensor key_grad = at::zeros_like(keys);
    const at::Tensor value_grad = at::zeros_like(values);
    for (const AttentionRectangle& r :
         AttentionPlan(static_cast<int>(chunks), static_cast<int>(window))) {
      const FlashGrads part =
          FlashBackward(Select(AllRows(grad, sequences), r.queries),
                        Select(AllRows(q, sequences), r.queries),
                        Select(keys, r.keys), Select(values, r.keys),
                        Select(AllRows(saved[3], sequences), r.queries),
                        SelectLse(lse, r.queries));
      AddTo(AllRows(q_grad, sequences), r.queries, part.q);
      AddTo(key_grad, r.keys, part.k);
      AddTo(value_grad, r.keys, part.v);
    }
    AddClean(k_grad, key_grad);
    AddClean(v_grad, value_grad);
    return {q_grad, k_grad, v_grad, {}, {}};
  }
};

}  // namespace

std::vector<AttentionRectangle> AttentionPlan(int chunks, int window) {
  return window > 0 ? WindowPlan(chunks, window) : FullPlan(chunks);
}

at::Tensor BlockAttention(const at::Tensor& q, const at::Tensor& k,
                          const at::Tensor& v, int sequences, int window) {
  return BlockAttentionFunction::apply(q, k, v, static_cast<int64_t>(sequences),
                                       static_cast<int64_t>(window));
}

}  // namespace qvg::tinyworld
