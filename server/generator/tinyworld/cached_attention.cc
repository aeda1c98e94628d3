#include "server/generator/tinyworld/cached_attention.h"

#include <ATen/ATen.h>

#include <cmath>

#include "kernels/attention.h"

namespace qvg::tinyworld {
namespace {

// A view of rows (1,128,256) as they lie.
kernels::PackedTensor Rows(const at::Tensor& x) {
  kernels::PackedTensor rows;
  rows.codec.encoding = kernels::Encoding::kF32;
  rows.codec.head_dim = kHeadDim;
  rows.heads = kHeads;
  rows.tokens = kTokens;
  rows.values = x.const_data_ptr<float>();
  rows.token_stride = x.stride(1);
  rows.head_stride = kHeadDim;
  return rows;
}

kernels::AttentionArgs Arguments(
    const std::vector<kernels::KvSegment>& segments, const at::Tensor& q,
    const at::Tensor& out) {
  kernels::AttentionArgs args;
  args.heads = kHeads;
  args.head_dim = kHeadDim;
  args.queries = kTokens;
  args.scale = 1 / std::sqrt(static_cast<float>(kHeadDim));
  args.q = q.const_data_ptr<float>();
  args.q_token_stride = q.stride(1);
  args.q_head_stride = kHeadDim;
  args.segments = segments.data();
  args.num_segments = static_cast<int>(segments.size());
  args.out = out.mutable_data_ptr<float>();
  args.out_token_stride = out.stride(1);
  args.out_head_stride = kHeadDim;
  return args;
}

}  // namespace

CachedAttention::CachedAttention(const KvCache& cache,
                                 kernels::ParallelFor& parallel_for)
    : parallel_for_(parallel_for) {
  for (int i = 0; i < kBlocks; ++i) {
    cache.AppendSegments(i, &blocks_[i].segments);
    blocks_[i].segments.emplace_back();
  }
}

void CachedAttention::Keep(int block, const at::Tensor& k,
                           const at::Tensor& v) {
  blocks_[block].k = k;
  blocks_[block].v = v;
  blocks_[block].segments.back() = {Rows(k), Rows(v)};
}

at::Tensor CachedAttention::operator()(int block, const at::Tensor& q,
                                       const at::Tensor& k,
                                       const at::Tensor& v) {
  Keep(block, k, v);
  const at::Tensor out = at::empty({1, kTokens, kWidth}, q.options());
  const kernels::AttentionArgs args =
      Arguments(blocks_[block].segments, q, out);
  const int64_t bytes = static_cast<int64_t>(
      kernels::AttentionWorkspaceBytes(args, parallel_for_));
  if (!workspace_.defined() || workspace_.numel() < bytes) {
    workspace_ = at::empty({bytes}, q.options().dtype(at::kByte));
  }
  const kernels::Error error =
      kernels::Attention(args, workspace_.mutable_data_ptr(),
                         static_cast<size_t>(bytes), parallel_for_);
  TORCH_CHECK(error.ok(), "attention: ", error.message);
  return out;
}

std::vector<kernels::KvSegment> CachedAttention::latest(int lane) const {
  TORCH_CHECK(lane == 0, "lane: ", lane, " of one");
  std::vector<kernels::KvSegment> own;
  for (const Block& block : blocks_) own.push_back(block.segments.back());
  return own;
}

}  // namespace qvg::tinyworld
