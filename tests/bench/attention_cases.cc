#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/attention.h"
#include "tests/bench/cases.h"
#include "tests/bench/torch_attention.h"
#include "tests/kernels/random_tensors.h"

namespace qvg::bench {
namespace {

using kernels::AttentionArgs;
using kernels::CodecDescriptor;
using kernels::Encoding;
using kernels::KvSegment;
using kernels::ParallelFor;
using kernels::RandomTables;
using kernels::RandomTensor;

constexpr AttentionShape kTinyWorld = {4, 64, 128, 0};
constexpr int kTokensPerChunk = 128;
constexpr int kTokensPerFrame = 32;

// A history of one encoding and everything a call of Attention() needs.
class History {
 public:
  History(const AttentionShape& shape, const CodecDescriptor& codec)
      : key_tables_(kernels::Product(shape.head_dim), shape.heads, 1),
        value_tables_(kernels::Product(shape.head_dim), shape.heads, 2),
        q_(kernels::RandomNormal(shape.queries * shape.heads * shape.head_dim,
                                 1, 3)),
        out_(q_.size()) {
    for (int64_t t = 0; t < shape.keys; t += kTokensPerChunk) {
      AddSpan(shape.heads, codec, 4 + t);
    }
    FillArgs(shape);
  }

  int64_t bytes() const { return bytes_; }

  void Attend(ParallelFor& parallel_for) {
    const size_t bytes = kernels::AttentionWorkspaceBytes(args_, parallel_for);
    if (workspace_ == nullptr) workspace_.reset(std::aligned_alloc(64, bytes));
    const kernels::Error error =
        kernels::Attention(args_, workspace_.get(), bytes, parallel_for);
    if (!error.ok()) std::abort();
  }

 private:
  void AddSpan(int heads, const CodecDescriptor& codec, uint64_t seed) {
    for (const RandomTables* tables : {&key_tables_, &value_tables_}) {
      tensors_.push_back(std::make_unique<RandomTensor>(
          codec, heads, kTokensPerChunk, seed++, tables));
      bytes_ += tensors_.back()->bytes();
    }
    segments_.push_back({tensors_.end()[-2]->view(), tensors_.back()->view()});
  }

  void FillArgs(const AttentionShape& shape) {
    args_.heads = shape.heads;
    args_.head_dim = shape.head_dim;
    args_.queries = shape.queries;
    args_.scale = 1 / std::sqrt(static_cast<float>(shape.head_dim));
    args_.q = q_.data();
    args_.out = out_.data();
    args_.q_head_stride = args_.out_head_stride = shape.head_dim;
    args_.q_token_stride = args_.out_token_stride =
        int64_t{shape.heads} * shape.head_dim;
    args_.segments = segments_.data();
    args_.num_segments = static_cast<int>(segments_.size());
  }

  RandomTables key_tables_;
  RandomTables value_tables_;
  std::vector<float> q_;
  std::vector<float> out_;
  std::vector<std::unique_ptr<RandomTensor>> tensors_;
  std::vector<KvSegment> segments_;
  int64_t bytes_ = 0;
  AttentionArgs args_;
  std::unique_ptr<void, decltype(&std::free)> workspace_{nullptr, &std::free};
};

Arm OurArm(const std::string& name, const AttentionShape& shape,
           const CodecDescriptor& codec, ParallelFor& parallel_for) {
  auto history = std::make_shared<History>(shape, codec);
  Arm arm;
  arm.name = name;
  arm.bytes = history->bytes();
  arm.run = [history, &parallel_for] { history->Attend(parallel_for); };
  arm.baseline = codec.encoding == Encoding::kBf16;
  return arm;
}

Case MakeCase(const std::string& name, int frames, ParallelFor& parallel_for) {
  AttentionShape shape = kTinyWorld;
  shape.keys = frames * kTokensPerFrame;
  const int dim = shape.head_dim;
  const std::pair<std::string, CodecDescriptor> encodings[] = {
      {"opq", kernels::Product(dim)},
      {"qvg_int2", kernels::Residual(dim, 2, 64, 1, 16)},
      {"qvg_int4", kernels::Residual(dim, 4, 64, 1, 16)},
      {"qvg_pro_int2", kernels::Residual(dim, 2, 16, 4, 16)},
      {"rtn_int2", kernels::Residual(dim, 2, 16, 0, 0)},
      {"f32", kernels::Rows(Encoding::kF32, dim)},
      {"bf16", kernels::Rows(Encoding::kBf16, dim)}};
  Case timed;
  timed.name = name;
  timed.flop = 4.0 * shape.heads * shape.queries * shape.keys * dim;
  for (const auto& [encoding, codec] : encodings) {
    timed.arms.push_back(OurArm(encoding, shape, codec, parallel_for));
  }
  for (Arm& arm : TorchAttentionArms(shape, parallel_for.workers())) {
    timed.arms.push_back(std::move(arm));
  }
  return timed;
}

}  // namespace

std::vector<CaseFactory> AttentionCases() {
  std::vector<CaseFactory> cases;
  for (const int frames : {160, 304}) {
    const std::string name = "attention/" + std::to_string(frames) + "_frames";
    cases.push_back({name, [=](ParallelFor& parallel_for) {
                       return MakeCase(name, frames, parallel_for);
                     }});
  }
  return cases;
}

}  // namespace qvg::bench
