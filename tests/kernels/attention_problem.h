#ifndef TESTS_KERNELS_ATTENTION_PROBLEM_H_
#define TESTS_KERNELS_ATTENTION_PROBLEM_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "kernels/attention.h"
#include "tests/kernels/random_tensors.h"

namespace qvg::kernels {

using AttentionFunction = Error (*)(const AttentionArgs&, void*, size_t,
                                    ParallelFor&);

// 64-byte aligned memory full of NaN: what a workspace held before must not
// show in a result.
std::unique_ptr<void, decltype(&std::free)> AlignedBytes(size_t bytes);

constexpr float kUntouched = 77;

struct Result {
  std::vector<float> out;  // as Problem::q
  std::vector<float> lse;  // [H,N]
};

// How far a result may be from float64: of the largest value, and more of it
// for each unit of the largest logit, whose rounding grows with it.
struct Tolerance {
  double absolute = 5e-6;
  double per_logit = 5e-7;
};

// Queries and a history of random segments.
class Problem {
 public:
  Problem(int heads, int head_dim, int64_t queries);

  // Queries of the given deviation: the larger, the sharper the softmax.
  void SetQueries(float deviation);

  void Add(const CodecDescriptor& keys, const CodecDescriptor& values,
           int64_t tokens, Layout layout = Layout::kDense);
  void Add(const CodecDescriptor& codec, int64_t tokens) {
    Add(codec, codec, tokens);
  }

  // Rows lie apart and off alignment, heads inside a token.
  int64_t head_stride() const { return dim_ + 1; }
  int64_t token_stride() const { return heads_ * head_stride() + 3; }
  float& q(int64_t query, int head, int d) {
    return q_[1 + query * token_stride() + head * head_stride() + d];
  }
  RandomTensor& keys(int segment) { return *tensors_[2 * segment]; }
  RandomTensor& values(int segment) { return *tensors_[2 * segment + 1]; }
  std::vector<KvSegment>& segments() { return segments_; }

  // Numbers the segments' tokens from `first` on and turns the keys by places
  // in frames of 3 x 5.
  void SetRotary(int64_t first);

  // `out` and `lse` are null.
  AttentionArgs Args() const;

  // `out` and `lse` hold kUntouched where nothing is written.
  Result Run(AttentionFunction attend, int threads = 1) const;

  // Float64 over the decoded keys and values; fails where `result` is off.
  void ExpectClose(const Result& result, const Tolerance& = {}) const;

 private:
  std::vector<float> Decode(int head, bool keys) const;
  void ExpectRowClose(int head, int64_t query, const std::vector<float>& keys,
                      const std::vector<float>& values, const Result& result,
                      const Tolerance& tolerance) const;

  int heads_;
  int dim_;
  int64_t queries_;
  float scale_;
  RandomTables key_tables_;
  RandomTables value_tables_;
  std::vector<float> q_;
  std::vector<std::unique_ptr<RandomTensor>> tensors_;
  std::vector<KvSegment> segments_;
  std::vector<float> turns_[3];
  RotaryTables rotary_;
};

}  // namespace qvg::kernels

#endif  // TESTS_KERNELS_ATTENTION_PROBLEM_H_
