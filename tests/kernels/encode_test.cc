#include "kernels/encode.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/counter_random.h"
#include "kernels/kmeans.h"
#include "kernels/numeric.h"
#include "kernels/rows.h"
#include "kernels/thread_pool.h"
#include "tests/kernels/aligned_buffer.h"
#include "tests/kernels/random_tensors.h"
#include "tests/kernels/versions.h"
#ifdef QVG_TEST_DEVICE
#include "tests/kernels/cuda/on_device.h"
#endif

namespace qvg::kernels {
namespace {

using ::testing::HasSubstr;

// BF16 points around `centres` random centres, far from the origin.
std::vector<uint16_t> Clustered(int64_t rows, int dim, int centres,
                                uint64_t seed) {
  const std::vector<float> noise = RandomNormal(rows * dim, 0.5f, seed);
  const std::vector<float> centre =
      RandomNormal(int64_t{centres} * dim, 1, seed + 1);
  std::vector<uint16_t> out(noise.size());
  for (size_t i = 0; i < out.size(); ++i) {
    const auto which = RandomBelow(seed, i / dim, centres);
    out[i] = FloatToBFloat16(noise[i] + centre[which * dim + i % dim] + 2);
  }
  return out;
}

// One encoded tensor, rows head by head.
struct Encoded {
  Encoded(const EncodeArgs& args, uint64_t seed)
      : rows(Clustered(args.heads * args.tokens, args.dim, 40, seed)),
        centroids(int64_t{args.stages} * args.heads * args.clusters * args.dim),
        ids(args.stages * args.heads * args.tokens),
        codes(args.heads * args.tokens * args.dim * args.bits / 8),
        scales(args.heads * args.tokens * args.dim / args.block),
        zeros(scales.size()) {
    tensor.rows = rows.data();
    tensor.token_stride = args.dim;
    tensor.head_stride = args.tokens * args.dim;
    tensor.centroids = centroids.data();
    tensor.ids = ids.data();
    tensor.codes = codes.data();
    tensor.scales = scales.data();
    tensor.zeros = zeros.data();
    tensor.seed = seed;
  }
  // Moves leave `tensor` right, copies would not.
  Encoded(Encoded&&) = default;
  Encoded(const Encoded&) = delete;

  PackedTensor View(const EncodeArgs& args) const {
    PackedTensor view;
    view.codec =
        Residual(args.dim, args.bits, args.block, args.stages, args.clusters);
    view.codec.asymmetric = args.rule == QuantizeRule::kMinMax;
    view.heads = args.heads;
    view.tokens = args.tokens;
    view.codes = codes.data();
    view.scales = scales.data();
    view.zeros = zeros.data();
    view.ids = ids.data();
    view.centroids = centroids.data();
    return view;
  }

  std::vector<uint16_t> rows;
  std::vector<uint16_t> centroids;
  std::vector<uint8_t> ids;
  std::vector<uint8_t> codes;
  std::vector<uint8_t> scales;
  std::vector<uint8_t> zeros;
  EncodeTensor tensor;
};

EncodeArgs MakeArgs(int heads, int64_t tokens, int dim, int clusters) {
  EncodeArgs args;
  args.heads = heads;
  args.tokens = tokens;
  args.dim = dim;
  args.stages = 1;
  args.clusters = clusters;
  args.bits = 2;
  args.block = 64;
  args.fit_rounds = 2;
  return args;
}

TEST(FitStride, KeepsEnoughTokensForEveryCentroid) {
  EXPECT_EQ(FitStride(29640, 256), 4);
  EXPECT_EQ(FitStride(4680, 256), 1);
  EXPECT_EQ(FitStride(1000000, 256), 8);
  EXPECT_EQ(FitStride(1000, 16), 2);
  EXPECT_EQ(FitStride(0, 1), 1);
}

TEST(CheckEncode, ErrorsNameTheField) {
  EncodeArgs good = MakeArgs(2, 8, 64, 4);
  Encoded encoded(good, 1);
  const auto message = [&](auto change) {
    EncodeArgs args = good;
    EncodeTensor tensor = encoded.tensor;
    args.count = 1;
    change(args, tensor);
    args.tensors = &tensor;
    return std::string(internal::CheckEncode(args).message);
  };
  EXPECT_EQ(message([](auto&, auto&) {}), "");
  EXPECT_THAT(message([](auto& a, auto&) { a.dim = 48; }), HasSubstr("dim"));
  EXPECT_THAT(message([](auto& a, auto&) { a.heads = 0; }), HasSubstr("heads"));
  EXPECT_THAT(message([](auto& a, auto&) { a.tokens = -1; }),
              HasSubstr("tokens"));
  EXPECT_THAT(message([](auto& a, auto&) { a.stages = 5; }),
              HasSubstr("stages"));
  EXPECT_THAT(message([](auto& a, auto&) { a.clusters = 257; }),
              HasSubstr("clusters"));
  EXPECT_THAT(message([](auto& a, auto&) { a.bits = 3; }), HasSubstr("bits"));
  EXPECT_THAT(message([](auto& a, auto&) { a.block = 8; }), HasSubstr("block"));
  EXPECT_THAT(message([](auto& a, auto&) { a.fit_stride = 0; }),
              HasSubstr("fit_stride"));
  EXPECT_THAT(message([](auto&, auto& t) { t.rows = nullptr; }),
              HasSubstr("rows"));
  EXPECT_THAT(message([](auto&, auto& t) { t.token_stride += 4; }),
              HasSubstr("rows"));
  EXPECT_THAT(message([](auto&, auto& t) { ++t.centroids; }),
              HasSubstr("centroids"));
  EXPECT_THAT(message([](auto&, auto& t) { t.ids = nullptr; }),
              HasSubstr("ids"));
  EXPECT_THAT(message([](auto& a, auto& t) {
                a.rule = QuantizeRule::kMinMax;
                t.zeros = nullptr;
              }),
              HasSubstr("zeros"));
}

#ifndef QVG_TEST_DEVICE

TEST(Encode, SaysThatItWasBuiltWithoutCuda) {
  EXPECT_EQ(EncodeCuda({}, nullptr, 0, nullptr).code,
            Error::Code::kUnimplemented);
}

#else

class EncodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasGpu()) GTEST_SKIP() << "NO GPU: nothing was tested";
  }

  static void Encode(EncodeArgs args, std::vector<Encoded>* tensors) {
    std::vector<EncodeTensor> list;
    for (const Encoded& encoded : *tensors) list.push_back(encoded.tensor);
    args.tensors = list.data();
    args.count = static_cast<int>(list.size());
    const Error error = EncodeOnDevice(args);
    ASSERT_TRUE(error.ok()) << error.message;
  }

  static std::vector<Encoded> Make(const EncodeArgs& args, int count,
                                   uint64_t seed) {
    std::vector<Encoded> tensors;
    tensors.reserve(count);
    for (int i = 0; i < count; ++i) tensors.emplace_back(args, seed + 10 * i);
    return tensors;
  }
};

double SquaredDistance(const uint16_t* a, const uint16_t* b, int dim) {
  double sum = 0;
  for (int d = 0; d < dim; ++d) {
    sum += std::pow(double{BFloat16ToFloat(a[d])} - BFloat16ToFloat(b[d]), 2);
  }
  return sum;
}

// Ids of stage `stage` name nearest centroids of `rows`, up to FP32 rounding.
void ExpectNearest(const EncodeArgs& args, const Encoded& encoded, int stage,
                   const std::vector<uint16_t>& rows) {
  const int dim = args.dim;
  for (int64_t row = 0; row < args.heads * args.tokens; ++row) {
    const int64_t head = stage * args.heads + row / args.tokens;
    const uint16_t* book =
        encoded.centroids.data() + head * args.clusters * dim;
    double best = INFINITY;
    for (int k = 0; k < args.clusters; ++k) {
      best = std::min(best,
                      SquaredDistance(&rows[row * dim], book + k * dim, dim));
    }
    const int id = encoded.ids[stage * args.heads * args.tokens + row];
    ASSERT_LT(id, args.clusters);
    ASSERT_LE(
        SquaredDistance(&rows[row * dim], book + id * dim, dim),
        best + 1e-5 * SquaredDistance(&rows[row * dim],
                                      std::vector<uint16_t>(dim).data(), dim));
  }
}

// What the CPU makes of the same rows with the same ids and centroids.
void ExpectCodesOfTheCpu(const EncodeArgs& args, const Encoded& encoded) {
  SerialFor serial;
  std::vector<uint16_t> rows = encoded.rows;
  const Points points = {rows.data(), args.heads, args.tokens, args.dim};
  for (int s = 0; s < args.stages; ++s) {
    ExpectNearest(args, encoded, s, rows);
    const int64_t head = int64_t{s} * args.heads;
    ASSERT_TRUE(
        SubtractCentroids(
            points, encoded.centroids.data() + head * args.clusters * args.dim,
            args.clusters, encoded.ids.data() + head * args.tokens, serial)
            .ok());
  }
  std::vector<uint8_t> codes(encoded.codes.size());
  std::vector<uint8_t> scales(encoded.scales.size());
  std::vector<uint8_t> zeros(encoded.scales.size());
  QuantizeArgs quantize;
  quantize.points = points;
  quantize.rule = args.rule;
  quantize.bits = args.bits;
  quantize.block = args.block;
  quantize.codes = codes.data();
  quantize.scales = scales.data();
  quantize.zeros = zeros.data();
  ASSERT_TRUE(QuantizeReference(quantize, serial).ok());
  EXPECT_EQ(encoded.scales, scales);
  EXPECT_EQ(encoded.codes, codes);
  if (args.rule == QuantizeRule::kMinMax) {
    EXPECT_EQ(encoded.zeros, zeros);
  }
}

TEST_F(EncodeTest, IsAssignmentSubtractionAndQuantizer) {
  for (const auto& [dim, bits, block, stages, rule] :
       {std::tuple(128, 2, 64, 1, QuantizeRule::kAbsmax),
        std::tuple(64, 2, 64, 1, QuantizeRule::kAbsmax),
        std::tuple(256, 2, 32, 1, QuantizeRule::kAbsmax),
        std::tuple(128, 2, 16, 4, QuantizeRule::kAbsmax),
        std::tuple(128, 4, 64, 2, QuantizeRule::kAbsmax),
        std::tuple(64, 4, 16, 1, QuantizeRule::kMinMax),
        std::tuple(128, 2, 64, 1, QuantizeRule::kMinMax),
        std::tuple(256, 4, 32, 1, QuantizeRule::kRoundToNearest),
        std::tuple(128, 2, 64, 1, QuantizeRule::kFourLevels),
        std::tuple(128, 2, 32, 2, QuantizeRule::kFourSearch),
        std::tuple(64, 2, 16, 1, QuantizeRule::kFourSearch),
        std::tuple(64, 2, 64, 1, QuantizeRule::kSearch)}) {
    for (const int64_t tokens : {1, 19, 733}) {
      // Codebooks of 256 take another way than small ones.
      EncodeArgs args = MakeArgs(3, tokens, dim, block == 64 ? 256 : 37);
      args.bits = bits;
      args.block = block;
      args.stages = stages;
      args.rule = rule;
      std::vector<Encoded> tensors = Make(args, 2, 7);
      Encode(args, &tensors);
      for (const Encoded& encoded : tensors) {
        ExpectCodesOfTheCpu(args, encoded);
      }
    }
  }
}

// Draw, rounds and the last assignment are those of kmeans.h.
TEST_F(EncodeTest, FitsAsKmeansDoes) {
  EncodeArgs args = MakeArgs(2, 900, 128, 64);
  args.fit_rounds = 3;
  std::vector<Encoded> tensors = Make(args, 1, 5);
  Encode(args, &tensors);
  SerialFor serial;
  std::vector<uint16_t> centroids(tensors[0].centroids.size());
  std::vector<uint8_t> labels(2 * 900);
  KmeansArgs kmeans;
  kmeans.points = {tensors[0].rows.data(), 2, 900, 128};
  kmeans.clusters = 64;
  kmeans.centroids = centroids.data();
  kmeans.labels = labels.data();
  ASSERT_TRUE(KmeansDrawOnDevice(kmeans, RandomBits(5, 0)).ok());
  AlignedBuffer workspace(KmeansWorkspaceBytes(kmeans, serial));
  for (int round = 0; round < 3; ++round) {
    for (const auto step : {&KmeansAssignOnDevice, &KmeansUpdateOnDevice}) {
      ASSERT_TRUE(
          step(kmeans, workspace.data(), workspace.size(), serial).ok());
    }
  }
  EXPECT_EQ(tensors[0].centroids, centroids);
}

// Given centroids are read and not changed; rows may lie token by token.
TEST_F(EncodeTest, TakesGivenCentroidsAndStridedRows) {
  EncodeArgs args = MakeArgs(2, 300, 64, 16);
  std::vector<Encoded> fitted = Make(args, 1, 3);
  Encode(args, &fitted);
  args.fit_rounds = 0;
  std::vector<Encoded> given = Make(args, 1, 3);
  given[0].centroids = fitted[0].centroids;
  given[0].tensor.centroids = given[0].centroids.data();
  std::vector<uint16_t> interleaved(300 * 2 * 72);
  for (int64_t row = 0; row < 600; ++row) {
    std::copy_n(&fitted[0].rows[row * 64], 64,
                &interleaved[(row % 300 * 2 + row / 300) * 72]);
  }
  given[0].tensor.rows = interleaved.data();
  given[0].tensor.token_stride = 2 * 72;
  given[0].tensor.head_stride = 72;
  Encode(args, &given);
  EXPECT_EQ(given[0].centroids, fitted[0].centroids);
  EXPECT_EQ(given[0].ids, fitted[0].ids);
  EXPECT_EQ(given[0].codes, fitted[0].codes);
  EXPECT_EQ(given[0].scales, fitted[0].scales);
}

// More tensors than go into one launch; the last alone gives the same bits.
TEST_F(EncodeTest, BitsDoNotDependOnCompany) {
  for (const int stages : {1, 2}) {
    EncodeArgs args = MakeArgs(2, 150, 64, 32);
    args.stages = stages;
    std::vector<Encoded> many = Make(args, 70, 100);
    std::vector<Encoded> alone = Make(args, 1, 100 + 10 * 69);
    Encode(args, &many);
    Encode(args, &alone);
    EXPECT_EQ(many[69].centroids, alone[0].centroids);
    EXPECT_EQ(many[69].ids, alone[0].ids);
    EXPECT_EQ(many[69].codes, alone[0].codes);
    EXPECT_EQ(many[69].scales, alone[0].scales);
    const std::vector<uint8_t> codes = many[3].codes;
    Encode(args, &many);
    EXPECT_EQ(many[3].codes, codes);
  }
}

double ErrorShare(const EncodeArgs& args, const Encoded& encoded) {
  SerialFor serial;
  std::vector<uint16_t> decoded(encoded.rows.size());
  EXPECT_TRUE(
      DecodeRows(encoded.View(args), 0, args.tokens, decoded.data(), serial)
          .ok());
  double error = 0;
  double energy = 0;
  for (size_t i = 0; i < decoded.size(); ++i) {
    const double value = BFloat16ToFloat(encoded.rows[i]);
    error += std::pow(BFloat16ToFloat(decoded[i]) - value, 2);
    energy += value * value;
  }
  return std::sqrt(error / energy);
}

// Rounds over a sixteenth, an eighth and a quarter of the tokens are as good as
// two over all.
TEST_F(EncodeTest, SampledFitIsAsGoodAsTwoFullRounds) {
  EncodeArgs args = MakeArgs(8, 8000, 128, 64);
  std::vector<Encoded> full = Make(args, 1, 9);
  Encode(args, &full);
  args.fit_rounds = 3;
  args.fit_stride = FitStride(args.tokens, args.clusters);
  EXPECT_EQ(args.fit_stride, 4);
  std::vector<Encoded> sampled = Make(args, 1, 9);
  Encode(args, &sampled);
  EXPECT_LE(ErrorShare(args, sampled[0]), 1.02 * ErrorShare(args, full[0]));
}

TEST_F(EncodeTest, EmptySpansAndNoTensorsAreFine) {
  EncodeArgs args = MakeArgs(1, 0, 64, 4);
  EXPECT_TRUE(EncodeCuda(args, nullptr, 0, nullptr).ok());
  args.tokens = 5;
  const size_t bytes = EncodeCudaWorkspaceBytes(args);
  DeviceArrays arrays;
  EXPECT_TRUE(
      EncodeCuda(args, arrays.Poisoned(bytes), bytes, arrays.stream()).ok());
}

#endif  // QVG_TEST_DEVICE

}  // namespace
}  // namespace qvg::kernels
