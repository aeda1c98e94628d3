#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "hwy/targets.h"
#include "tests/kernels/attention_problem.h"
#include "tests/kernels/on_device.h"

namespace qvg::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Version {
  std::string name;
  AttentionFunction attend;
  int64_t target = 0;  // Highway's; 0: the best
  Tolerance tolerance = {};
  bool on_device = false;
};

std::ostream& operator<<(std::ostream& out, const Version& version) {
  return out << version.name;
}

class AttentionTest : public testing::TestWithParam<Version> {
 protected:
  void SetUp() override {
    if (GetParam().on_device && !HasGpu()) GTEST_SKIP() << "no GPU here";
    hwy::SetSupportedTargetsForTest(GetParam().target);
  }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }

  void ExpectCorrect(const Problem& problem) {
    problem.ExpectClose(problem.Run(GetParam().attend), GetParam().tolerance);
  }
  Result Run(const Problem& problem) { return problem.Run(GetParam().attend); }
};

const Encoding kUnpacked[] = {Encoding::kF32, Encoding::kBf16};

TEST_P(AttentionTest, UnpackedHistoriesOfOddSizes) {
  for (const Encoding encoding : kUnpacked) {
    for (const int64_t tokens : {1, 3, 7, 19, 127, 128, 129, 733}) {
      SCOPED_TRACE(tokens);
      Problem problem(2, 64, 5);
      problem.Add(Rows(encoding, 64), tokens);
      ExpectCorrect(problem);
    }
  }
}

TEST_P(AttentionTest, ProductHistoriesOfOddSizes) {
  for (const int64_t tokens : {1, 3, 7, 19, 127, 128, 129, 733}) {
    SCOPED_TRACE(tokens);
    Problem problem(2, 64, 5);
    problem.Add(Product(64), tokens);
    ExpectCorrect(problem);
  }
}

TEST_P(AttentionTest, ResidualHistoriesOfOddSizes) {
  for (const int64_t tokens : {1, 3, 7, 19, 127, 128, 129, 733}) {
    SCOPED_TRACE(tokens);
    Problem problem(2, 64, 5);
    problem.Add(Residual(64, 2, 64, 1, 16), tokens);
    ExpectCorrect(problem);
  }
}

TEST_P(AttentionTest, EveryNumberOfQueries) {
  for (const int64_t queries :
       {1, 2, 3, 4, 5, 6, 7, 8, 9, 33, 127, 128, 129, 300}) {
    SCOPED_TRACE(queries);
    Problem problem(1, 64, queries);
    problem.Add(Product(64), 70);
    problem.Add(Rows(Encoding::kF32, 64), 45);
    ExpectCorrect(problem);
  }
}

TEST_P(AttentionTest, EveryHeadDimension) {
  for (const int dim : {64, 128, 256}) {
    SCOPED_TRACE(dim);
    Problem problem(3, dim, 33);
    problem.Add(Rows(Encoding::kBf16, dim), 24);
    problem.Add(Residual(dim, 2, 64, 1, 16), 90);
    problem.Add(Product(dim), 130);
    problem.Add(Rows(Encoding::kF32, dim), 61);
    ExpectCorrect(problem);
  }
}

TEST_P(AttentionTest, EveryResidualForm) {
  for (const CodecDescriptor& codec :
       {Residual(64, 2, 64, 1, 256), Residual(64, 4, 64, 1, 256),
        Residual(64, 2, 16, 4, 16), Residual(64, 4, 32, 2, 1),
        Residual(64, 2, 16, 0, 0), Residual(64, 4, 64, 0, 0),
        Asymmetric(Residual(64, 2, 16, 1, 16)),
        FourLevels(Residual(64, 2, 64, 1, 16)),
        Trits(Residual(64, 2, 64, 1, 16))}) {
    SCOPED_TRACE(testing::Message() << codec.bits << " bits, block "
                                    << codec.block << ", " << codec.stages);
    Problem problem(2, 64, 9);
    problem.Add(codec, 150);
    ExpectCorrect(problem);
  }
}

TEST_P(AttentionTest, EveryMinMaxForm) {
  for (const CodecDescriptor& codec :
       {ChannelGroups(64, 2, 16), ChannelGroups(64, 4, 64),
        TokenGroups(64, 2, 40), Rotated(ChannelGroups(64, 2, 64)),
        Rotated(ChannelGroups(64, 4, 64))}) {
    Problem problem(2, 64, 9);
    problem.Add(codec, 150);
    problem.Add(Rows(Encoding::kBf16, 64), 20);
    ExpectCorrect(problem);
  }
}

TEST_P(AttentionTest, EveryProductWidth) {
  for (const int width : {1, 2, 4, 8, 16, 64}) {
    SCOPED_TRACE(width);
    Problem problem(2, 64, 9);
    problem.Add(Product(64, width), 150);
    ExpectCorrect(problem);
  }
}

TEST_P(AttentionTest, KeysAndValuesOfDifferentEncodings) {
  const CodecDescriptor codecs[] = {Rows(Encoding::kF32, 64),
                                    Rows(Encoding::kBf16, 64),
                                    Residual(64, 4, 64, 1, 16), Product(64)};
  for (const CodecDescriptor& keys : codecs) {
    for (const CodecDescriptor& values : codecs) {
      Problem problem(2, 64, 9);
      problem.Add(keys, values, 150);
      ExpectCorrect(problem);
    }
  }
}

TEST_P(AttentionTest, KeysTurnedByTheirPositions) {
  for (const int dim : {64, 128, 256}) {
    for (const int64_t first : {0, 7, 30011}) {
      Problem problem(2, dim, 33);
      problem.Add(Rows(Encoding::kBf16, dim), 24);
      problem.Add(Residual(dim, 2, 64, 1, 16), 130);
      problem.Add(Product(dim), 40);
      problem.Add(Rotated(ChannelGroups(dim, 2, dim)), 30);
      problem.Add(Residual(dim, 4, 16, 2, 16), 50);
      problem.Add(Rows(Encoding::kF32, dim), 61);
      problem.SetRotary(first);
      ExpectCorrect(problem);
    }
  }
}

TEST_P(AttentionTest, StridedUnalignedRows) {
  for (const Encoding encoding : kUnpacked) {
    Problem problem(3, 64, 9);
    problem.Add(Rows(encoding, 64), Rows(encoding, 64), 150, Layout::kStrided);
    ExpectCorrect(problem);
  }
}

TEST_P(AttentionTest, ManySmallSpansThenTheChunkInFlight) {
  Problem problem(2, 64, 9);
  for (int span = 0; span < 76; ++span) problem.Add(Product(64), 128);
  problem.Add(Rows(Encoding::kF32, 64), 128);
  ExpectCorrect(problem);
}

TEST_P(AttentionTest, SpansOfOneModelButAnotherLayersTables) {
  Problem problem(2, 64, 9);
  problem.Add(Product(64), 50);
  problem.Add(Product(64), 50);
  const RandomTables others(Product(64), 2, 99);
  problem.segments()[1].keys.tables = others.view();
  problem.segments()[1].values.tables = others.view();
  problem.Add(Product(64), 50);
  ExpectCorrect(problem);
}

TEST_P(AttentionTest, EmptySegmentsChangeNothing) {
  Problem with(2, 64, 9);
  Problem without(2, 64, 9);
  with.Add(Product(64), 0);
  without.Add(Product(64), 40);
  with.Add(Product(64), 40);
  with.Add(Rows(Encoding::kF32, 64), 0);
  with.segments()[1] = without.segments()[0];
  with.segments()[0].keys.codes = nullptr;
  with.segments()[0].keys.tables = {};
  EXPECT_EQ(Run(with).out, Run(without).out);
  EXPECT_EQ(Run(with).lse, Run(without).lse);
}

TEST_P(AttentionTest, SharpLogits) {
  for (const float deviation : {30.0f, 100.0f}) {
    Problem problem(2, 64, 33);
    problem.SetQueries(deviation);
    problem.Add(Rows(Encoding::kBf16, 64), 200);
    problem.Add(Product(64), 300);
    problem.Add(Residual(64, 2, 64, 1, 16), 200);
    ExpectCorrect(problem);
  }
}

// Logits of -2000: exp() of the raw logit would be 0, of their negative inf.
TEST_P(AttentionTest, AllLogitsFarBelowAndAboveZero) {
  for (const float sign : {-1.0f, 1.0f}) {
    Problem problem(1, 64, 7);
    problem.Add(Rows(Encoding::kF32, 64), 200);
    for (int k = 0; k < 200; ++k) problem.keys(0).at(k, 0, 0) = 100;
    for (int n = 0; n < 7; ++n) problem.q(n, 0, 0) = sign * 160;
    ExpectCorrect(problem);
  }
}

// The maximum rises in every tile, so every tile rescales what came before.
TEST_P(AttentionTest, LogitsThatRiseFromTileToTile) {
  Problem problem(1, 64, 7);
  problem.Add(Rows(Encoding::kF32, 64), 700);
  for (int k = 0; k < 700; ++k) problem.keys(0).at(k, 0, 3) = .02f * k;
  for (int n = 0; n < 7; ++n) problem.q(n, 0, 3) = 5;
  problem.Add(Product(64), 100);
  ExpectCorrect(problem);
}

TEST_P(AttentionTest, OneKeyReturnsItsValue) {
  Problem problem(2, 64, 3);
  problem.Add(Rows(Encoding::kF32, 64), 1);
  for (int d = 0; d < 64; ++d) {
    for (const int h : {0, 1}) problem.values(0).at(0, h, d) = h + d / 64.0f;
  }
  const Result result = Run(problem);
  for (int h = 0; h < 2; ++h) {
    for (int d = 0; d < 64; ++d) {
      EXPECT_EQ(
          result
              .out[1 + problem.token_stride() + h * problem.head_stride() + d],
          problem.values(0).at(0, h, d));
    }
  }
}

TEST_P(AttentionTest, TouchesNothingBetweenTheRows) {
  Problem problem(2, 64, 9);
  problem.Add(Product(64), 30);
  const Result result = Run(problem);
  EXPECT_EQ(result.out[0], kUntouched);
  for (int64_t n = 0; n < 9; ++n) {
    for (int h = 0; h < 2; ++h) {
      EXPECT_EQ(result.out[1 + n * problem.token_stride() +
                           h * problem.head_stride() + 64],
                kUntouched);
    }
  }
}

TEST_P(AttentionTest, ThreadsChangeNoBit) {
  Problem problem(3, 64, 300);
  problem.Add(Rows(Encoding::kBf16, 64), 24);
  problem.Add(Product(64), 300);
  problem.Add(Residual(64, 2, 64, 1, 16), 100);
  const Result one = problem.Run(GetParam().attend, 1);
  for (const int threads : {2, 5}) {
    const Result many = problem.Run(GetParam().attend, threads);
    EXPECT_EQ(many.out, one.out);
    EXPECT_EQ(many.lse, one.lse);
  }
}

// A query's result depends on the keys alone, not on the other queries.
TEST_P(AttentionTest, QueriesAreIndependent) {
  Problem all(1, 64, 300);
  Problem few(1, 64, 7);
  for (Problem* problem : {&all, &few}) {
    problem->Add(Product(64), 200);
    problem->Add(Rows(Encoding::kF32, 64), 50);
  }
  const Result of_all = Run(all);
  const Result of_few = Run(few);
  EXPECT_TRUE(std::equal(of_few.out.begin() + 1,
                         of_few.out.begin() + 1 + 6 * few.token_stride() + 64,
                         of_all.out.begin() + 1));
}

TEST_P(AttentionTest, NanInAQueryStaysInItsRow) {
  Problem problem(1, 64, 9);
  problem.Add(Product(64), 200);
  const Result clean = Run(problem);
  problem.q(4, 0, 17) = kNan;
  const Result result = Run(problem);
  for (int64_t n = 0; n < 9; ++n) {
    for (int d = 0; d < 64; ++d) {
      const int64_t i = 1 + n * problem.token_stride() + d;
      if (n == 4) {
        EXPECT_TRUE(std::isnan(result.out[i]));
      } else {
        EXPECT_EQ(result.out[i], clean.out[i]);
      }
    }
    EXPECT_EQ(std::isnan(result.lse[n]), n == 4);
  }
}

TEST_P(AttentionTest, NanInAKeyReachesEveryRow) {
  Problem problem(1, 64, 9);
  problem.Add(Rows(Encoding::kF32, 64), 300);
  problem.keys(0).at(150, 0, 3) = kNan;
  const Result result = Run(problem);
  for (int64_t n = 0; n < 9; ++n) {
    EXPECT_TRUE(std::isnan(result.lse[n]));
    EXPECT_TRUE(std::isnan(result.out[1 + n * problem.token_stride()]));
  }
}

TEST_P(AttentionTest, NanInAValueStaysInItsChannel) {
  Problem problem(1, 64, 9);
  problem.Add(Rows(Encoding::kF32, 64), 300);
  const Result clean = Run(problem);
  problem.values(0).at(150, 0, 3) = kNan;
  const Result result = Run(problem);
  for (int d = 0; d < 64; ++d) {
    const int64_t i = 1 + 5 * problem.token_stride() + d;
    if (d == 3) {
      EXPECT_TRUE(std::isnan(result.out[i]));
    } else {
      EXPECT_EQ(result.out[i], clean.out[i]);
    }
  }
  EXPECT_EQ(result.lse, clean.lse);
}

TEST_P(AttentionTest, InfiniteLogits) {
  for (const float sign : {-1.0f, 1.0f}) {
    Problem problem(1, 64, 1);
    problem.Add(Rows(Encoding::kF32, 64), 300);
    problem.q(0, 0, 3) = sign;
    problem.keys(0).at(0, 0, 3) = kInfinity;
    problem.keys(0).at(299, 0, 3) = kInfinity;
    const Result result = Run(problem);
    if (sign > 0) {
      EXPECT_TRUE(std::isnan(result.out[1]));
      EXPECT_TRUE(std::isnan(result.lse[0]));
      continue;
    }
    Problem without(1, 64, 1);
    without.Add(Rows(Encoding::kF32, 64), 300);
    without.q(0, 0, 3) = sign;
    KvSegment& segment = without.segments()[0];
    segment.keys.values = static_cast<const float*>(segment.keys.values) +
                          segment.keys.token_stride;
    segment.values.values = static_cast<const float*>(segment.values.values) +
                            segment.values.token_stride;
    segment.keys.tokens = segment.values.tokens = 298;
    without.ExpectClose(result, GetParam().tolerance);
  }
}

TEST_P(AttentionTest, NothingButMinusInfinity) {
  Problem problem(1, 64, 1);
  problem.Add(Rows(Encoding::kF32, 64), 150);
  problem.q(0, 0, 3) = -1;
  for (int k = 0; k < 150; ++k) problem.keys(0).at(k, 0, 3) = kInfinity;
  const Result result = Run(problem);
  EXPECT_TRUE(std::isnan(result.out[1]));
  EXPECT_EQ(result.lse[0], -kInfinity);
}

TEST_P(AttentionTest, LseIsOptional) {
  Problem problem(1, 64, 2);
  problem.Add(Product(64), 10);
  SerialFor serial;
  AttentionArgs args = problem.Args();
  std::vector<float> out(2 * problem.token_stride());
  args.out = out.data();
  const size_t bytes = AttentionWorkspaceBytes(args, serial);
  const auto workspace = AlignedBytes(bytes);
  EXPECT_TRUE(GetParam().attend(args, workspace.get(), bytes, serial).ok());
  EXPECT_EQ(out[0], Run(problem).out[1]);
}

// The vector code of every target that this processor can run, not only of
// the best.
std::vector<Version> Versions() {
  std::vector<Version> versions = {{"reference", AttentionReference},
                                   {"fast", Attention}};
  for (const int64_t target : {HWY_AVX2, HWY_AVX3}) {
    if (hwy::SupportedTargets() & target) {
      versions.push_back({hwy::TargetName(target), Attention, target});
    }
  }
  if (const AttentionFunction attend = AttentionOnDevice()) {
    versions.push_back({"cuda", attend, 0, {8e-3, 6e-3}, true});
  }
  return versions;
}

INSTANTIATE_TEST_SUITE_P(Versions, AttentionTest, testing::ValuesIn(Versions()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace qvg::kernels
