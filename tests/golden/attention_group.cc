#include <algorithm>
#include <cmath>
#include <deque>

#include "kernels/attention.h"
#include "kernels/numeric.h"
#include "kernels/parallel_for.h"
#include "tests/golden/groups.h"
#include "tests/golden/stored_tensor.h"
#include "tests/kernels/aligned_buffer.h"

namespace qvg::golden {
namespace {

using kernels::KvSegment;
using kernels::PackedTensor;

// The keys of a case, in order; owns what the segments point to.
class History {
 public:
  explicit History(const GoldenCase& golden) {
    if (golden.json().at("sink").get<int>() > 0) AddRows(golden, "sink");
    for (const nlohmann::json& span : golden.json().at("spans")) {
      const int bits = span.at("bits");
      segments_.push_back({Packed(golden, span.at("k"), bits),
                           Packed(golden, span.at("v"), bits)});
    }
    if (golden.json().at("tail").get<int>() > 0) AddRows(golden, "tail");
  }

  const std::vector<KvSegment>& segments() const { return segments_; }

 private:
  void AddRows(const GoldenCase& golden, const std::string& name) {
    segments_.push_back({Rows(golden, name + "_k"), Rows(golden, name + "_v")});
  }

  PackedTensor Rows(const GoldenCase& golden, const std::string& tensor) {
    const PointSet& points = rows_.emplace_back(golden.Points(tensor));
    PackedTensor out;
    out.codec.encoding = kernels::Encoding::kBf16;
    out.codec.head_dim = points.dim;
    out.heads = points.heads;
    out.tokens = points.tokens;
    out.values = points.values.data();
    out.token_stride = points.dim;
    out.head_stride = points.tokens * points.dim;
    return out;
  }

  PackedTensor Packed(const GoldenCase& golden, const std::string& name,
                      int bits) {
    return packed_.emplace_back(LoadPacked(golden.Other(name), bits)).View();
  }

  std::deque<PointSet> rows_;
  std::deque<PackedCase> packed_;
  std::vector<KvSegment> segments_;
};

struct Result {
  std::vector<float> out;
  std::vector<float> lse;
};

using Function = kernels::Error (*)(const kernels::AttentionArgs& args,
                                    void* workspace, size_t workspace_bytes,
                                    kernels::ParallelFor& parallel_for);

Result Attend(Function function, const PointSet& queries,
              const std::vector<KvSegment>& segments) {
  std::vector<float> q;
  for (const uint16_t bits : queries.values) {
    q.push_back(kernels::BFloat16ToFloat(bits));
  }
  Result result;
  result.out.resize(q.size());
  result.lse.resize(queries.heads * queries.tokens);
  kernels::AttentionArgs args;
  args.heads = queries.heads;
  args.head_dim = queries.dim;
  args.queries = queries.tokens;
  args.scale = 1 / std::sqrt(static_cast<float>(queries.dim));
  args.q = q.data();
  args.out = result.out.data();
  args.q_token_stride = args.out_token_stride = queries.dim;
  args.q_head_stride = args.out_head_stride = queries.tokens * queries.dim;
  args.segments = segments.data();
  args.num_segments = static_cast<int>(segments.size());
  args.lse = result.lse.data();
  kernels::SerialFor serial;
  kernels::AlignedBuffer workspace(
      kernels::AttentionWorkspaceBytes(args, serial));
  const kernels::Error error =
      function(args, workspace.data(), workspace.size(), serial);
  if (!error.ok()) throw GoldenError(error.message);
  return result;
}

template <typename T>
double LargestError(const std::vector<float>& actual,
                    const std::vector<T>& expected) {
  if (actual.size() != expected.size()) throw GoldenError("out, lse: sizes");
  double largest = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double error = std::abs(double{actual[i]} - double{expected[i]});
    // Not std::max, which would lose a NaN.
    if (!(error <= largest)) largest = error;
  }
  return largest;
}

void CheckVersion(const GoldenCase& golden, Function function,
                  const History& history, const std::string& version,
                  Checks* checks) {
  const Result result =
      Attend(function, golden.Points("q"), history.segments());
  const double error =
      LargestError(result.out, golden.Get<float>("out").values);
  const double lse_error =
      LargestError(result.lse, golden.Get<double>("lse").values);
  const nlohmann::json& json = golden.json();
  const double lse_limit = 1e-3 + 2e-6 * json.at("max_logit").get<double>();
  checks->Expect(error <= json.at("tol_fp32").get<double>(),
                 version + " out: off by " + std::to_string(error));
  checks->Expect(lse_error <= lse_limit,
                 version + " lse: off by " + std::to_string(lse_error));
}

}  // namespace

void CheckAttention(const GoldenCase& golden, Checks* checks) {
  const History history(golden);
  CheckVersion(golden, &kernels::Attention, history, "fast", checks);
  CheckVersion(golden, &kernels::AttentionReference, history, "plain", checks);
}

}  // namespace qvg::golden
