#include "server/generator/tinyworld/shared_attention.h"

#include <ATen/ATen.h>

#include <bit>
#include <cmath>

#include "kernels/attention.h"
#include "kernels/device_memory.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

constexpr int64_t kLaneValues = int64_t{kTokens} * kWidth;

// A view of the rows of one lane of one block in `all` (10,lanes,128,256).
kernels::PackedTensor Rows(const at::Tensor& all, int block, int lane) {
  const int64_t place = block * all.size(1) + lane;
  kernels::PackedTensor view;
  view.codec.encoding = kernels::Encoding::kBf16;
  view.codec.head_dim = kHeadDim;
  view.heads = kHeads;
  view.tokens = kTokens;
  view.values = all.const_data_ptr<at::BFloat16>() + place * kLaneValues;
  view.token_stride = kWidth;
  view.head_stride = kHeadDim;
  return view;
}

kernels::AttentionArgs Arguments(const float* q, float* out) {
  kernels::AttentionArgs args;
  args.heads = kHeads;
  args.head_dim = kHeadDim;
  args.queries = kTokens;
  args.scale = 1 / std::sqrt(static_cast<float>(kHeadDim));
  args.q = q;
  args.q_token_stride = kWidth;
  args.q_head_stride = kHeadDim;
  args.out = out;
  args.out_token_stride = kWidth;
  args.out_head_stride = kHeadDim;
  return args;
}

void Check(const kernels::Error& error) {
  TORCH_CHECK(error.ok(), "attention: ", error.message);
}

absl::Span<uint8_t> Take(Workspace& workspace, size_t bytes) {
  const auto taken = workspace.Get(bytes);
  TORCH_CHECK(taken.ok(), "attention: ", taken.status().message());
  return *taken;
}

}  // namespace

SharedAttentionMemory::SharedAttentionMemory(int lanes,
                                             const at::Device& device) {
  const auto options = at::TensorOptions().device(device);
  keys = at::zeros({kBlocks, lanes, kTokens, kWidth},
                   options.dtype(at::kBFloat16));
  values = at::zeros_like(keys);
  out = at::zeros({lanes, kTokens, kWidth}, options.dtype(at::kFloat));
}

SharedAttention::SharedAttention(absl::Span<const KvCache* const> caches,
                                 kernels::CudaStream stream,
                                 SharedAttentionMemory& memory)
    : lanes_(static_cast<int>(caches.size())),
      stream_(stream),
      memory_(memory) {
  Upload(Collect(caches));
}

kernels::KvSegment SharedAttention::Own(int block, int lane) const {
  return {Rows(memory_.keys, block, lane), Rows(memory_.values, block, lane)};
}

std::vector<kernels::KvSegment> SharedAttention::Collect(
    absl::Span<const KvCache* const> caches) {
  std::vector<kernels::KvSegment> all;
  for (int lane = 0; lane < lanes_; ++lane) {
    for (int block = 0; block < kBlocks; ++block) {
      const size_t before = all.size();
      caches[lane]->AppendSegments(block, &all);
      all.push_back(Own(block, lane));
      lists_.push_back({nullptr, static_cast<int>(all.size() - before)});
    }
  }
  return all;
}

void SharedAttention::Upload(const std::vector<kernels::KvSegment>& segments) {
  const size_t bytes = segments.size() * sizeof(kernels::KvSegment);
  // Histories grow with every chunk; the memory grows seldom.
  const auto place = Take(memory_.segments, std::bit_ceil(bytes));
  Check(kernels::CopyToDevice(segments.data(), bytes, place.data(), stream_));
  const auto* next = reinterpret_cast<const kernels::KvSegment*>(place.data());
  for (List& list : lists_) {
    list.segments = next;
    next += list.count;
  }
}

void SharedAttention::Keep(int block, const at::Tensor& k,
                           const at::Tensor& v) {
  memory_.keys[block].copy_(k);
  memory_.values[block].copy_(v);
}

at::Tensor SharedAttention::operator()(int block, const at::Tensor& q,
                                       const at::Tensor& k,
                                       const at::Tensor& v) {
  Keep(block, k, v);
  const at::Tensor queries = q.to(at::kFloat).contiguous();
  std::vector<kernels::AttentionArgs> problems;
  for (int lane = 0; lane < lanes_; ++lane) {
    const List& list = lists_[lane * kBlocks + block];
    problems.push_back(
        Arguments(queries.const_data_ptr<float>() + lane * kLaneValues,
                  memory_.out.mutable_data_ptr<float>() + lane * kLaneValues));
    problems.back().segments = list.segments;
    problems.back().num_segments = list.count;
  }
  const size_t bytes =
      kernels::AttentionCudaWorkspaceBytes(problems.data(), lanes_);
  const auto scratch = Take(memory_.scratch, bytes);
  Check(kernels::AttentionCuda(problems.data(), lanes_, scratch.data(), bytes,
                               stream_));
  return memory_.out.to(q.scalar_type());
}

std::vector<kernels::KvSegment> SharedAttention::latest(int lane) const {
  std::vector<kernels::KvSegment> own;
  for (int block = 0; block < kBlocks; ++block) {
    own.push_back(Own(block, lane));
  }
  return own;
}

}  // namespace qvg::tinyworld
