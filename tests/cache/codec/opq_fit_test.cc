#include "cache/codec/opq_fit.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "cache/codec/opq_codec.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/decode_tile.h"
#include "kernels/thread_pool.h"
#include "tests/kernels/aligned_buffer.h"
#include "tests/kernels/random_tensors.h"

namespace qvg {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr int kHeads = 2;
constexpr int kDim = 64;

// Vectors like those of caches: a mean, a few strong directions, sizes that
// differ between tokens.
std::vector<float> Samples(int64_t count, uint64_t seed) {
  const std::vector<float> basis =
      kernels::RandomNormal(kHeads * kDim * kDim, .125f, 99);
  std::vector<float> mean = kernels::RandomNormal(kHeads * kDim, 2, 98);
  const std::vector<float> latent =
      kernels::RandomNormal(count * kHeads * kDim, 1, seed);
  const std::vector<float> sizes = kernels::RandomNormal(count, .5f, seed + 1);
  std::vector<float> out(latent.size());
  for (int64_t row = 0; row < count * kHeads; ++row) {
    const int64_t head = row % kHeads;
    const float size = std::exp(sizes[row / kHeads]);
    for (int d = 0; d < kDim; ++d) {
      float sum = 0;
      for (int k = 0; k < kDim; ++k) {
        sum += basis[(head * kDim + d) * kDim + k] * latent[row * kDim + k] *
               std::exp2(-static_cast<float>(k) / 8);
      }
      out[row * kDim + d] = size * sum * 4 + mean[head * kDim + d];
    }
  }
  return out;
}

OpqTensor MustFit(const std::vector<float>& samples, OpqFitOptions options,
                  int threads = 2) {
  kernels::ThreadPool pool(threads);
  const int64_t count = static_cast<int64_t>(samples.size()) / (kHeads * kDim);
  absl::StatusOr<OpqTensor> tensor =
      FitOpq(samples, count, kHeads, kDim, options, pool);
  EXPECT_TRUE(tensor.ok()) << tensor.status();
  return *std::move(tensor);
}

// Energy of the coding error over that of what is left after the mean.
double CodingError(const OpqTensor& tensor, const std::vector<float>& rows) {
  const auto tables = *OpqTables::Create(kHeads, kDim, {{tensor, tensor}});
  const auto codec = MakeOpqCodec(tables.get());
  const int64_t count = static_cast<int64_t>(rows.size()) / (kHeads * kDim);
  const SpanShape shape = {1, kHeads, kDim, count};
  kernels::SerialFor serial;
  kernels::AlignedBuffer span(codec->SpanBytes(shape));
  kernels::AlignedBuffer workspace(codec->WorkspaceBytes(shape, serial));
  const absl::Span<uint8_t> bytes(static_cast<uint8_t*>(span.data()),
                                  span.size());
  kernels::PackedTensor source;
  source.codec = kernels::Rows(kernels::Encoding::kF32, kDim);
  source.heads = kHeads;
  source.tokens = count;
  source.values = rows.data();
  source.head_stride = kDim;
  source.token_stride = kHeads * kDim;
  const kernels::KvSegment layer = {source, source};
  EXPECT_TRUE(
      codec
          ->Encode(shape, {&layer, 1}, 1, bytes,
                   {static_cast<uint8_t*>(workspace.data()), workspace.size()},
                   serial)
          .ok());
  double error = 0, energy = 0;
  for (int head = 0; head < kHeads; ++head) {
    std::vector<float> decoded(count * kDim);
    kernels::DecodeTile(codec->View(shape, 0, bytes).keys, head, 0, count,
                        decoded.data());
    for (int64_t i = 0; i < count * kDim; ++i) {
      const double value = rows[(i / kDim * kHeads + head) * kDim + i % kDim];
      error += std::pow(decoded[i] - value, 2);
      energy += std::pow(value - tensor.mean[head * kDim + i % kDim], 2);
    }
  }
  return error / energy;
}

TEST(OpqFit, CodesWhatItHasNotSeen) {
  const OpqTensor tensor = MustFit(Samples(2500, 1), {});
  const double error = CodingError(tensor, Samples(500, 1000));
  // 2 bits of a Gaussian source of such a spectrum; white noise would have .1.
  EXPECT_LT(error, 0.05);
  EXPECT_GT(error, 0.001);
}

TEST(OpqFit, RoundsHelp) {
  const std::vector<float> samples = Samples(1500, 1);
  OpqFitOptions one;
  one.rounds = 1;
  EXPECT_LT(CodingError(MustFit(samples, {}), samples),
            0.97 * CodingError(MustFit(samples, one), samples));
}

TEST(OpqFit, BitsDoNotDependOnThreads) {
  const std::vector<float> samples = Samples(700, 1);
  OpqFitOptions options;
  options.rounds = 3;
  const OpqTensor one = MustFit(samples, options, 1);
  const OpqTensor three = MustFit(samples, options, 3);
  EXPECT_EQ(one.mean, three.mean);
  EXPECT_EQ(one.rotation, three.rotation);
  EXPECT_EQ(one.codebook, three.codebook);
  options.seed = 2;
  EXPECT_NE(MustFit(samples, options).codebook, one.codebook);
}

TEST(OpqFit, MeanAndRotationAreThoseOfTheSamples) {
  const std::vector<float> samples = Samples(2000, 1);
  OpqFitOptions options;
  options.rounds = 1;
  const OpqTensor tensor = MustFit(samples, options);
  double sum = 0;
  for (int i = 0; i < 2000; ++i) sum += samples[(i * kHeads + 1) * kDim + 5];
  EXPECT_NEAR(tensor.mean[kDim + 5], sum / 2000, 1e-4);
  // Rotated channels are uncorrelated.
  const float* rotation = tensor.rotation.data() + kDim * kDim;
  double correlation = 0, variance[2] = {0, 0};
  for (int i = 0; i < 2000; ++i) {
    double rotated[2] = {0, 0};
    for (int d = 0; d < kDim; ++d) {
      const double centred =
          samples[(i * kHeads + 1) * kDim + d] - tensor.mean[kDim + d];
      rotated[0] += rotation[d * kDim] * centred;
      rotated[1] += rotation[d * kDim + 9] * centred;
    }
    correlation += rotated[0] * rotated[1];
    for (const int j : {0, 1}) variance[j] += rotated[j] * rotated[j];
  }
  EXPECT_NEAR(correlation / std::sqrt(variance[0] * variance[1]), 0, 1e-3);
}

// Vectors that are all alike leave nothing to code but the mean.
TEST(OpqFit, SurvivesSamplesWithoutVariance) {
  const std::vector<float> samples(300 * kHeads * kDim, 1.5f);
  const OpqTensor tensor = MustFit(samples, {});
  EXPECT_THAT(tensor.mean, Each(1.5f));
  EXPECT_TRUE(OpqTables::Create(kHeads, kDim, {{tensor, tensor}}).ok());
}

TEST(OpqFit, RefusesBadSamples) {
  kernels::SerialFor serial;
  std::vector<float> samples = Samples(300, 1);
  const auto message = [&](int64_t count, int heads, int dim, int rounds) {
    OpqFitOptions options;
    options.rounds = rounds;
    return std::string(
        FitOpq(samples, count, heads, dim, options, serial).status().message());
  };
  EXPECT_EQ(message(300, kHeads, kDim, 1), "");
  EXPECT_THAT(message(255, kHeads, kDim, 1), HasSubstr("255 vectors"));
  EXPECT_THAT(message(299, kHeads, kDim, 1), HasSubstr("samples: size"));
  EXPECT_THAT(message(300, 0, kDim, 1), HasSubstr("heads"));
  EXPECT_THAT(message(300, kHeads, 32, 1), HasSubstr("head_dim: 32"));
  EXPECT_THAT(message(300, kHeads, kDim, 0), HasSubstr("rounds"));
  samples[777] = NAN;
  EXPECT_THAT(message(300, kHeads, kDim, 1), HasSubstr("NaN"));
}

TEST(DealDirections, BalancesLogVariance) {
  std::vector<double> variances;
  for (int i = 0; i < 64; ++i) variances.push_back(std::exp2(10 - i / 4.0));
  const std::vector<int> order = DealDirections(variances, 4);
  EXPECT_EQ(std::set<int>(order.begin(), order.end()).size(), 64);
  double lowest = 1e30, highest = -1e30;
  for (int part = 0; part < 16; ++part) {
    double sum = 0;
    for (int w = 0; w < 4; ++w) sum += std::log(variances[order[part * 4 + w]]);
    lowest = std::min(lowest, sum);
    highest = std::max(highest, sum);
  }
  // In order they would differ by 60 quarters of an octave, four times.
  EXPECT_LT(highest - lowest, 4 * std::log(2));
}

TEST(DealDirections, SmallVariancesAreDealtToo) {
  std::vector<double> variances(64, 0);
  std::fill_n(variances.begin(), 16, 1e-5);
  const std::vector<int> order = DealDirections(variances, 4);
  EXPECT_EQ(std::set<int>(order.begin(), order.end()).size(), 64);
  // One of those that count in every part.
  for (int part = 0; part < 16; ++part) EXPECT_LT(order[part * 4], 16);
}

}  // namespace
}  // namespace qvg
