#include "tests/kernels/attention_problem.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "kernels/decode_tile.h"
#include "kernels/thread_pool.h"

namespace qvg::kernels {

std::unique_ptr<void, decltype(&std::free)> AlignedBytes(size_t bytes) {
  const size_t rounded = (bytes + 63) / 64 * 64;
  void* memory = std::aligned_alloc(64, rounded);
  std::fill_n(static_cast<float*>(memory), rounded / sizeof(float),
              std::numeric_limits<float>::quiet_NaN());
  return {memory, &std::free};
}

Problem::Problem(int heads, int head_dim, int64_t queries)
    : heads_(heads),
      dim_(head_dim),
      queries_(queries),
      key_tables_(Product(head_dim), heads, 11),
      value_tables_(Product(head_dim), heads, 12) {
  scale_ = 1 / std::sqrt(static_cast<float>(head_dim));
  SetQueries(1);
}

void Problem::SetQueries(float deviation) {
  q_ = RandomNormal(queries_ * token_stride() + 1, deviation, 5);
}

void Problem::Add(const CodecDescriptor& keys, const CodecDescriptor& values,
                  int64_t tokens, Layout layout) {
  const uint64_t seed = 100 + 2 * tensors_.size();
  tensors_.push_back(std::make_unique<RandomTensor>(keys, heads_, tokens, seed,
                                                    &key_tables_, layout));
  tensors_.push_back(std::make_unique<RandomTensor>(
      values, heads_, tokens, seed + 1, &value_tables_, layout));
  segments_.push_back({tensors_.end()[-2]->view(), tensors_.back()->view()});
}

void Problem::SetRotary(int64_t first) {
  rotary_.rows = 3;
  rotary_.columns = 5;
  rotary_.first_frame = first / 15;
  int64_t position = first;
  for (KvSegment& segment : segments_) {
    segment.position = position;
    position += segment.keys.tokens;
  }
  rotary_.frames = position / 15 + 1 - rotary_.first_frame;
  const int64_t starts[3] = {rotary_.first_frame, 0, 0};
  const int64_t counts[3] = {rotary_.frames, 3, 5};
  const int pairs[3] = {dim_ / 2 - 2 * (dim_ / 6), dim_ / 6, dim_ / 6};
  for (int axis = 0; axis < 3; ++axis) {
    rotary_.pairs[axis] = pairs[axis];
    turns_[axis].resize(counts[axis] * pairs[axis] * 2);
    FillTurns(starts[axis], counts[axis], pairs[axis], 10000,
              turns_[axis].data());
    rotary_.turns[axis] = turns_[axis].data();
  }
}

AttentionArgs Problem::Args() const {
  AttentionArgs args;
  args.heads = heads_;
  args.head_dim = dim_;
  args.queries = queries_;
  args.scale = scale_;
  args.q = q_.data() + 1;
  args.q_token_stride = args.out_token_stride = token_stride();
  args.q_head_stride = args.out_head_stride = head_stride();
  args.segments = segments_.data();
  args.num_segments = static_cast<int>(segments_.size());
  args.rotary = rotary_;
  return args;
}

Result Problem::Run(AttentionFunction attend, int threads) const {
  ThreadPool pool(threads);
  Result result{std::vector<float>(q_.size(), kUntouched),
                std::vector<float>(heads_ * queries_, kUntouched)};
  AttentionArgs args = Args();
  args.out = result.out.data() + 1;
  args.lse = result.lse.data();
  const size_t bytes = AttentionWorkspaceBytes(args, pool);
  const auto workspace = AlignedBytes(bytes);
  const Error error = attend(args, workspace.get(), bytes, pool);
  EXPECT_TRUE(error.ok()) << error.message;
  return result;
}

std::vector<float> Problem::Decode(int head, bool keys) const {
  std::vector<float> rows;
  for (const KvSegment& segment : segments_) {
    const PackedTensor& tensor = keys ? segment.keys : segment.values;
    const size_t end = rows.size();
    rows.resize(end + tensor.tokens * dim_);
    DecodeTile(tensor, head, 0, tensor.tokens, rows.data() + end);
    for (int64_t i = 0; keys && i < tensor.tokens; ++i) {
      Turn(rotary_, segment.position + i, dim_, rows.data() + end + i * dim_);
    }
  }
  return rows;
}

void Problem::ExpectClose(const Result& result,
                          const Tolerance& tolerance) const {
  for (int h = 0; h < heads_; ++h) {
    const std::vector<float> keys = Decode(h, true);
    const std::vector<float> values = Decode(h, false);
    for (int64_t n = 0; n < queries_; ++n) {
      ExpectRowClose(h, n, keys, values, result, tolerance);
      if (testing::Test::HasFailure()) return;
    }
  }
}

void Problem::ExpectRowClose(int head, int64_t query,
                             const std::vector<float>& keys,
                             const std::vector<float>& values,
                             const Result& result,
                             const Tolerance& tolerance) const {
  const size_t tokens = keys.size() / dim_;
  const int64_t row = 1 + query * token_stride() + head * head_stride();
  std::vector<double> logits(tokens, 0);
  for (size_t k = 0; k < tokens; ++k) {
    for (int d = 0; d < dim_; ++d) {
      logits[k] += double{q_[row + d]} * keys[k * dim_ + d];
    }
    logits[k] *= double{scale_};
  }
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  double max_value = 0;
  std::vector<double> out(dim_, 0);
  for (size_t k = 0; k < tokens; ++k) {
    const double weight = std::exp(logits[k] - max);
    sum += weight;
    for (int d = 0; d < dim_; ++d) {
      out[d] += weight * values[k * dim_ + d];
      max_value = std::max(max_value, std::abs(double{values[k * dim_ + d]}));
    }
  }
  const double off = tolerance.absolute + tolerance.per_logit * std::abs(max);
  for (int d = 0; d < dim_; ++d) {
    ASSERT_NEAR(result.out[row + d], out[d] / sum, off * max_value)
        << "head " << head << ", query " << query << ", channel " << d;
  }
  ASSERT_NEAR(result.lse[head * queries_ + query], max + std::log(sum),
              2 * off);
}

}  // namespace qvg::kernels
