#include "cache/codec/opq_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "cache/codec/codec_util.h"
#include "cache/codec/symmetric_eigen.h"
#include "cache/workspace.h"
#include "kernels/counter_random.h"
#include "kernels/numeric.h"
#include "kernels/product.h"

namespace qvg {
namespace {

using kernels::kProductEntries;

constexpr int kWidth = OpqTables::kPartWidth;
// Vectors that the first entries are drawn from.
constexpr int64_t kDrawPool = 8192;

class Fit {
 public:
  Fit(absl::Span<const float> samples, int64_t count, int heads, int head_dim,
      const OpqFitOptions& options, kernels::ParallelFor* parallel_for)
      : samples_(samples),
        count_(count),
        heads_(heads),
        dim_(head_dim),
        parts_(head_dim / kWidth),
        options_(options),
        parallel_for_(*parallel_for) {}

  absl::StatusOr<OpqTensor> Run();

 private:
  const float* Sample(int64_t i, int head) const {
    return samples_.data() + (i * heads_ + head) * dim_;
  }
  const float* Normalized(int64_t i, int head, int part) const {
    return normalized_.data() + ((i * heads_ + head) * parts_ + part) * kWidth;
  }
  float* Entries(int head, int part) {
    return tensor_.codebook.data() +
           (int64_t{head} * parts_ + part) * kProductEntries * kWidth;
  }

  void FitMean(int head);
  void FitRotation(int head);
  void Normalize(int64_t i, int head);
  void DrawEntries(int head, int part);
  absl::Status Assign(Workspace* workspace);
  void Update(int head, int part);

  absl::Span<const float> samples_;
  int64_t count_;
  int heads_;
  int dim_;
  int parts_;
  OpqFitOptions options_;
  kernels::ParallelFor& parallel_for_;

  OpqTensor tensor_;
  std::vector<float> normalized_;  // [N,H,D], rotated, of root mean square 1
  std::vector<uint8_t> codes_;     // [N,H,P]
  std::vector<uint8_t> scales_;    // [N,H]
};

void Fit::FitMean(int head) {
  for (int d = 0; d < dim_; ++d) {
    double sum = 0;
    for (int64_t i = 0; i < count_; ++i) sum += Sample(i, head)[d];
    tensor_.mean[head * dim_ + d] =
        static_cast<float>(sum / static_cast<double>(count_));
  }
}

void Fit::FitRotation(int head) {
  std::vector<double> covariance(dim_ * dim_, 0);
  std::vector<double> centred(dim_);
  for (int64_t i = 0; i < count_; ++i) {
    for (int d = 0; d < dim_; ++d) {
      centred[d] = Sample(i, head)[d] - tensor_.mean[head * dim_ + d];
    }
    for (int a = 0; a < dim_; ++a) {
      for (int b = 0; b < dim_; ++b) {
        covariance[a * dim_ + b] += centred[a] * centred[b];
      }
    }
  }
  const SymmetricEigen eigen = DecomposeSymmetric(std::move(covariance), dim_);
  const std::vector<int> order = DealDirections(eigen.values, kWidth);
  float* rotation = tensor_.rotation.data() + int64_t{head} * dim_ * dim_;
  for (int i = 0; i < dim_; ++i) {
    for (int j = 0; j < dim_; ++j) {
      rotation[i * dim_ + j] =
          static_cast<float>(eigen.vectors[i * dim_ + order[j]]);
    }
  }
}

void Fit::Normalize(int64_t i, int head) {
  const float* rotation = tensor_.rotation.data() + int64_t{head} * dim_ * dim_;
  float* out = normalized_.data() + (i * heads_ + head) * dim_;
  std::fill_n(out, dim_, 0.0f);
  for (int a = 0; a < dim_; ++a) {
    const float centred = Sample(i, head)[a] - tensor_.mean[head * dim_ + a];
    for (int j = 0; j < dim_; ++j) out[j] += rotation[a * dim_ + j] * centred;
  }
  double sum = 0;
  for (int j = 0; j < dim_; ++j) sum += double{out[j]} * out[j];
  const float factor =
      sum > 0 ? static_cast<float>(std::sqrt(dim_ / sum)) : 0.0f;
  for (int j = 0; j < dim_; ++j) out[j] *= factor;
}

float SquaredDistance(const float* a, const float* b) {
  float sum = 0;
  for (int w = 0; w < kWidth; ++w) sum += (a[w] - b[w]) * (a[w] - b[w]);
  return sum;
}

// A number in [0, 1).
double UnitRandom(uint64_t seed, uint64_t counter) {
  return static_cast<double>(kernels::RandomBits(seed, counter) >> 11) *
         0x1p-53;
}

// k-means++ (Arthur and Vassilvitskii, SODA 2007): every entry is drawn with
// a chance proportional to its squared distance to those drawn before.
void Fit::DrawEntries(int head, int part) {
  const uint64_t seed = kernels::RandomBits(
      options_.seed, static_cast<uint64_t>(head) * parts_ + part);
  const int64_t pool = std::min(count_, kDrawPool);
  const int64_t step = count_ / pool;
  std::vector<double> distances(pool, std::numeric_limits<double>::max());
  int64_t chosen = static_cast<int64_t>(kernels::RandomBelow(seed, 0, pool));
  float* entry = Entries(head, part);
  for (int k = 0; k < kProductEntries; ++k, entry += kWidth) {
    std::copy_n(Normalized(chosen * step, head, part), kWidth, entry);
    double total = 0;
    for (int64_t i = 0; i < pool; ++i) {
      const double distance =
          SquaredDistance(Normalized(i * step, head, part), entry);
      distances[i] = std::min(distances[i], distance);
      total += distances[i];
    }
    double left = UnitRandom(seed, k + 1) * total;
    for (chosen = 0; chosen < pool - 1; ++chosen) {
      left -= distances[chosen];
      if (left < 0) break;
    }
  }
}

// The encoder itself says which entry each vector takes.
absl::Status Fit::Assign(Workspace* workspace) {
  kernels::ProductArgs args;
  args.rows.codec.encoding = kernels::Encoding::kF32;
  args.rows.codec.head_dim = dim_;
  args.rows.heads = heads_;
  args.rows.tokens = count_;
  args.rows.values = samples_.data();
  args.rows.head_stride = dim_;
  args.rows.token_stride = int64_t{heads_} * dim_;
  args.parts = parts_;
  args.tables = {tensor_.rotation.data(), tensor_.mean.data(),
                 tensor_.codebook.data()};
  args.codes = codes_.data();
  args.scales = scales_.data();
  const auto memory =
      workspace->Get(kernels::ProductWorkspaceBytes(args, parallel_for_));
  if (!memory.ok()) return memory.status();
  return ToStatus(kernels::EncodeProduct(args, memory->data(), memory->size(),
                                         parallel_for_));
}

// Entries become the means of the vectors that took them; one that nobody
// took stays.
void Fit::Update(int head, int part) {
  std::vector<double> sums(kProductEntries * kWidth, 0);
  std::vector<int64_t> members(kProductEntries, 0);
  for (int64_t i = 0; i < count_; ++i) {
    const uint8_t code = codes_[(i * heads_ + head) * parts_ + part];
    const float* vector = Normalized(i, head, part);
    ++members[code];
    for (int w = 0; w < kWidth; ++w) sums[code * kWidth + w] += vector[w];
  }
  float* entries = Entries(head, part);
  for (int k = 0; k < kProductEntries; ++k) {
    if (members[k] == 0) continue;
    for (int w = 0; w < kWidth; ++w) {
      entries[k * kWidth + w] = static_cast<float>(
          sums[k * kWidth + w] / static_cast<double>(members[k]));
    }
  }
}

absl::StatusOr<OpqTensor> Fit::Run() {
  const int64_t channels = int64_t{heads_} * dim_;
  tensor_.mean.resize(channels);
  tensor_.rotation.resize(channels * dim_);
  tensor_.codebook.resize(channels * kProductEntries);
  normalized_.resize(count_ * channels);
  codes_.resize(count_ * heads_ * parts_);
  scales_.resize(count_ * heads_);
  parallel_for_(heads_, [this](int64_t head, int) {
    FitMean(static_cast<int>(head));
    FitRotation(static_cast<int>(head));
  });
  parallel_for_(count_, [this](int64_t i, int) {
    for (int head = 0; head < heads_; ++head) Normalize(i, head);
  });
  const auto for_each_part = [this](auto step) {
    parallel_for_(int64_t{heads_} * parts_, [&](int64_t item, int) {
      (this->*step)(static_cast<int>(item / parts_),
                    static_cast<int>(item % parts_));
    });
  };
  for_each_part(&Fit::DrawEntries);
  Workspace workspace;
  for (int round = 0; round < options_.rounds; ++round) {
    const absl::Status status = Assign(&workspace);
    if (!status.ok()) return status;
    for_each_part(&Fit::Update);
  }
  return std::move(tensor_);
}

absl::Status CheckArguments(absl::Span<const float> samples, int64_t count,
                            int heads, int head_dim,
                            const OpqFitOptions& options) {
  if (head_dim != 64 && head_dim != 128 && head_dim != 256) {
    return absl::InvalidArgumentError(
        absl::StrCat("head_dim: ", head_dim, "; must be 64, 128 or 256"));
  }
  if (heads < 1 || options.rounds < 1) {
    return absl::InvalidArgumentError("heads, rounds: must be at least 1");
  }
  if (count < kProductEntries) {
    return absl::InvalidArgumentError(absl::StrCat(
        "samples: ", count, " vectors; must be at least ", kProductEntries));
  }
  if (static_cast<int64_t>(samples.size()) != count * heads * head_dim) {
    return absl::InvalidArgumentError("samples: size does not fit the shape");
  }
  for (const float value : samples) {
    if (std::abs(value) <= kernels::kMaxBFloat16) continue;
    return absl::InvalidArgumentError("samples: NaN or infinity");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<int> DealDirections(absl::Span<const double> variances, int width) {
  const int parts = static_cast<int>(variances.size()) / width;
  // Relative to the smallest that counts, so that no logarithm is negative.
  const double floor =
      std::max(variances.front() * 1e-9, std::numeric_limits<double>::min());
  const double lowest = std::max(variances.back(), floor);
  std::vector<double> sums(parts, 0);
  std::vector<std::vector<int>> dealt(parts);
  for (size_t i = 0; i < variances.size(); ++i) {
    int best = -1;
    for (int p = 0; p < parts; ++p) {
      if (static_cast<int>(dealt[p].size()) == width) continue;
      if (best < 0 || sums[p] < sums[best]) best = p;
    }
    dealt[best].push_back(static_cast<int>(i));
    sums[best] += std::log(std::max(variances[i], floor) / lowest);
  }
  std::vector<int> order;
  for (const std::vector<int>& part : dealt) {
    order.insert(order.end(), part.begin(), part.end());
  }
  return order;
}

absl::StatusOr<OpqTensor> FitOpq(absl::Span<const float> samples, int64_t count,
                                 int heads, int head_dim,
                                 const OpqFitOptions& options,
                                 kernels::ParallelFor& parallel_for) {
  const absl::Status status =
      CheckArguments(samples, count, heads, head_dim, options);
  if (!status.ok()) return status;
  return Fit(samples, count, heads, head_dim, options, &parallel_for).Run();
}

}  // namespace qvg
