#include "kernels/kmeans.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/counter_random.h"
#include "kernels/numeric.h"
#include "kernels/thread_pool.h"
#include "tests/kernels/aligned_buffer.h"
#include "tests/kernels/random_tensors.h"
#include "tests/kernels/versions.h"
#ifdef QVG_TEST_DEVICE
#include "tests/kernels/cuda/on_device.h"
#endif

namespace qvg::kernels {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Step = Error (*)(const KmeansArgs& args, void* workspace,
                       size_t workspace_bytes, ParallelFor& parallel_for);
using Loop = Error (*)(const KmeansArgs& args, int max_rounds, void* workspace,
                       size_t workspace_bytes, ParallelFor& parallel_for,
                       int* rounds);
using Draw = Error (*)(const KmeansArgs& args, uint64_t seed);

// The whole clustering and the steps that it is made of.
struct Version {
  Step assign;
  Step update;
  Loop loop;
};

constexpr Version kFast = {&KmeansAssign, &KmeansUpdate, &Kmeans};

std::vector<uint16_t> ToBFloat16(const std::vector<float>& values) {
  std::vector<uint16_t> out;
  for (const float value : values) out.push_back(FloatToBFloat16(value));
  return out;
}

// A clustering that owns its memory.
struct Clustering {
  Clustering(int heads, int64_t tokens, int dim, int clusters,
             const std::vector<float>& point_values,
             const std::vector<float>& centroid_values)
      : points(ToBFloat16(point_values)),
        centroids(ToBFloat16(centroid_values)),
        labels(heads * tokens, 77) {
    args.points = {points.data(), heads, tokens, dim};
    args.clusters = clusters;
    args.centroids = centroids.data();
    args.labels = labels.data();
  }

  // Random points around random centres that are far from the origin, and
  // start centroids among the points.
  static Clustering Random(int heads, int64_t tokens, int dim, int clusters,
                           uint64_t seed) {
    std::vector<float> points = RandomNormal(heads * tokens * dim, 0.5f, seed);
    const std::vector<float> centres = RandomNormal(12 * dim, 1, seed + 1);
    for (size_t i = 0; i < points.size(); ++i) {
      const size_t token = i / dim;
      points[i] += centres[token * 5 % 12 * dim + i % dim] + 3;
    }
    Clustering out(heads, tokens, dim, clusters, points,
                   std::vector<float>(heads * clusters * dim));
    EXPECT_TRUE(KmeansDraw(out.args, seed).ok());
    return out;
  }

  // Moves would leave args behind.
  Clustering(const Clustering& other)
      : points(other.points),
        centroids(other.centroids),
        labels(other.labels),
        args(other.args) {
    args.points.values = points.data();
    args.centroids = centroids.data();
    args.labels = labels.data();
  }

  void Run(Step step, int threads = 1) {
    ThreadPool pool(threads);
    AlignedBuffer workspace(KmeansWorkspaceBytes(args, pool));
    const Error error = step(args, workspace.data(), workspace.size(), pool);
    EXPECT_TRUE(error.ok()) << error.message;
  }

  int Iterate(Loop loop, int max_rounds, int threads = 1) {
    ThreadPool pool(threads);
    AlignedBuffer workspace(KmeansWorkspaceBytes(args, pool));
    int rounds = 0;
    const Error error = loop(args, max_rounds, workspace.data(),
                             workspace.size(), pool, &rounds);
    EXPECT_TRUE(error.ok()) << error.message;
    return rounds;
  }

  double Distance(int64_t row, int cluster) const {
    const int dim = args.points.dim;
    const int64_t head = row / args.points.tokens;
    const uint16_t* centroid =
        centroids.data() + (head * args.clusters + cluster) * dim;
    double sum = 0;
    for (int d = 0; d < dim; ++d) {
      const double difference = double{BFloat16ToFloat(points[row * dim + d])} -
                                BFloat16ToFloat(centroid[d]);
      sum += difference * difference;
    }
    return sum;
  }

  std::vector<uint16_t> points;
  std::vector<uint16_t> centroids;
  std::vector<uint8_t> labels;
  KmeansArgs args;
};

std::vector<float> Repeat(std::vector<float> values, int times) {
  std::vector<float> out;
  for (const float value : values) out.insert(out.end(), times, value);
  return out;
}

class AssignTest : public VersionTest<Step> {};

INSTANTIATE_TEST_SUITE_P(Versions, AssignTest,
                         ::testing::Values(&KmeansAssignReference,
                                           &KmeansAssign));

#ifdef QVG_TEST_DEVICE
INSTANTIATE_TEST_SUITE_P(Device, AssignTest,
                         ::testing::Values(&KmeansAssignOnDevice));
#endif

TEST_P(AssignTest, FindsTheNearest) {
  for (const auto& [heads, tokens, dim, clusters] :
       {std::tuple(2, 131, 64, 37), std::tuple(1, 70, 128, 256),
        std::tuple(1, 5, 256, 16), std::tuple(3, 1, 16, 1)}) {
    Clustering c = Clustering::Random(heads, tokens, dim, clusters, 3);
    c.Run(GetParam(), 2);
    for (int64_t row = 0; row < heads * tokens; ++row) {
      double best = 1e30;
      for (int k = 0; k < clusters; ++k)
        best = std::min(best, c.Distance(row, k));
      ASSERT_LT(c.labels[row], clusters);
      EXPECT_LE(c.Distance(row, c.labels[row]), best * (1 + 1e-5));
    }
  }
}

TEST_P(AssignTest, TiesGoToTheLowestIndex) {
  for (const int clusters : {2, 9, 33, 200}) {
    // All centroids but the first and the last are at 1.
    std::vector<float> centroids(clusters, 1);
    centroids.front() = centroids.back() = 40;
    // 20.5 lies halfway.
    Clustering c(1, 3, 16, clusters, Repeat({1, 39, 20.5f}, 16),
                 Repeat(centroids, 16));
    c.Run(GetParam());
    const int inner = clusters > 2 ? 1 : 0;
    EXPECT_THAT(c.labels, ElementsAre(inner, 0, 0));
  }
}

// Offset 1000, spacing 4: as BF16 or as a difference of norms all distances
// would look alike.
TEST_P(AssignTest, SeesSmallDifferencesBesideALargeOffset) {
  Clustering c(1, 3, 64, 3, Repeat({1004, 1000, 1008}, 64),
               Repeat({1000, 1004, 1008}, 64));
  c.Run(GetParam());
  EXPECT_THAT(c.labels, ElementsAre(1, 0, 2));
}

TEST_P(AssignTest, OverflowAndUnderflowGetLabelZero) {
  Clustering huge(1, 2, 16, 2, Repeat({3e30f, -3e30f}, 16),
                  Repeat({1e30f, -3e30f}, 16));
  huge.Run(GetParam());
  EXPECT_THAT(huge.labels, ElementsAre(0, 1));  // the second meets its equal
  Clustering tiny(1, 2, 16, 2, Repeat({1e-39f, 0}, 16),
                  Repeat({0, 1e-39f}, 16));
  tiny.Run(GetParam());
  EXPECT_THAT(tiny.labels, Each(0));
}

class UpdateTest : public VersionTest<Step> {};

INSTANTIATE_TEST_SUITE_P(Versions, UpdateTest,
                         ::testing::Values(&KmeansUpdateReference,
                                           &KmeansUpdate));

#ifdef QVG_TEST_DEVICE
INSTANTIATE_TEST_SUITE_P(Device, UpdateTest,
                         ::testing::Values(&KmeansUpdateOnDevice));
#endif

TEST_P(UpdateTest, MeansAreRoundedAndEmptyClustersStay) {
  Clustering c(1, 4, 16, 3, Repeat({1, 2, 2, 7}, 16), Repeat({50, 60, 70}, 16));
  c.labels = {0, 0, 0, 2};
  c.args.labels = c.labels.data();
  c.Run(GetParam());
  EXPECT_EQ(BFloat16ToFloat(c.centroids[0]), RoundToBFloat16(5.0f / 3));
  EXPECT_EQ(BFloat16ToFloat(c.centroids[16]), 60);
  EXPECT_EQ(BFloat16ToFloat(c.centroids[32 + 15]), 7);
}

TEST_P(UpdateTest, SumsThatOverflowLeaveTheCentroid) {
  Clustering c(1, 3, 16, 1, Repeat({3e38f, 3e38f, 1}, 16), Repeat({5}, 16));
  c.labels = {0, 0, 0};
  c.args.labels = c.labels.data();
  c.Run(GetParam());
  EXPECT_EQ(BFloat16ToFloat(c.centroids[3]), 5);
}

TEST_P(UpdateTest, SumsAreInTheOrderOfTheTokens) {
  // 2^24 + 1 + 1 is 2^24 in FP32, 1 + 1 + 2^24 is not.
  for (const bool large_first : {true, false}) {
    Clustering c(1, 3, 16, 1,
                 Repeat(large_first ? std::vector<float>{0x1p24f, 1, 1}
                                    : std::vector<float>{1, 1, 0x1p24f},
                        16),
                 Repeat({0}, 16));
    c.labels = {0, 0, 0};
    c.args.labels = c.labels.data();
    c.Run(GetParam());
    const float sum = large_first ? 0x1p24f : 0x1p24f + 2;
    EXPECT_EQ(BFloat16ToFloat(c.centroids[0]), RoundToBFloat16(sum / 3));
  }
}

TEST_P(UpdateTest, EqualsThePlainOneBitForBit) {
  for (const auto& [heads, tokens, dim, clusters] :
       {std::tuple(2, 300, 128, 19), std::tuple(1, 5000, 64, 256),
        std::tuple(3, 733, 256, 7), std::tuple(1, 1, 48, 2)}) {
    Clustering c = Clustering::Random(heads, tokens, dim, clusters, 8);
    c.Run(&KmeansAssign);
    Clustering plain = c;
    c.Run(GetParam(), 3);
    plain.Run(&KmeansUpdateReference);
    EXPECT_EQ(c.centroids, plain.centroids) << tokens;
  }
}

class KmeansTest : public VersionTest<Version> {};

INSTANTIATE_TEST_SUITE_P(Versions, KmeansTest, ::testing::Values(kFast));
#ifdef QVG_TEST_DEVICE
INSTANTIATE_TEST_SUITE_P(Device, KmeansTest,
                         ::testing::Values(Version{&KmeansAssignOnDevice,
                                                   &KmeansUpdateOnDevice,
                                                   &KmeansOnDevice}));
#endif

TEST_P(KmeansTest, OneRoundLeavesCentroidsOneUpdateNewer) {
  Clustering c = Clustering::Random(1, 200, 64, 8, 1);
  Clustering steps = c;
  EXPECT_EQ(c.Iterate(GetParam().loop, 1), 1);
  steps.Run(GetParam().assign);
  EXPECT_EQ(c.labels, steps.labels);
  steps.Run(GetParam().update);
  EXPECT_EQ(c.centroids, steps.centroids);
}

TEST_P(KmeansTest, StopsBeforeTheUpdateWhenLabelsSettle) {
  Clustering c = Clustering::Random(1, 200, 64, 8, 1);
  Clustering again = c;
  const int rounds = c.Iterate(GetParam().loop, 100);
  EXPECT_GT(rounds, 2);
  EXPECT_LT(rounds, 100);
  // The labels are those of the centroids, which an update would not change.
  again.Iterate(GetParam().loop, rounds - 1);
  EXPECT_EQ(again.centroids, c.centroids);
  EXPECT_EQ(again.labels, c.labels);
}

// Points at 0, one at 19 and one at 31, centroids 41 and -1. Round 1: 19 is
// nearer to -1, so cluster 0 moves to 31; round 2: 19 is nearer to 31. That is
// one label of `tokens`: of 10,000 the loop goes on, of 10,001 it stops.
TEST_P(KmeansTest, StopsBelowOneChangeInTenThousand) {
  for (const int64_t tokens : {10000, 10001}) {
    std::vector<float> values(tokens, 0);
    values[0] = 19;
    values[1] = 31;
    Clustering c(1, tokens, 16, 2, Repeat(values, 16), Repeat({41, -1}, 16));
    EXPECT_EQ(c.Iterate(GetParam().loop, 10), tokens == 10000 ? 3 : 2);
    EXPECT_EQ(c.labels[0], 0);
    EXPECT_EQ(BFloat16ToFloat(c.centroids[0]), tokens == 10000 ? 25 : 31);
  }
}

TEST_P(KmeansTest, InertiaFalls) {
  Clustering c = Clustering::Random(2, 500, 64, 12, 4);
  double before = 1e30;
  for (int round = 0; round < 5; ++round) {
    c.Run(GetParam().assign);
    double inertia = 0;
    for (int64_t row = 0; row < 1000; ++row) {
      inertia += c.Distance(row, c.labels[row]);
    }
    EXPECT_LE(inertia, before * 1.0001);
    before = inertia;
    c.Run(GetParam().update);
  }
  EXPECT_LT(before, 0.5 * 64 * 1000);  // noise .25, centres 1
}

TEST_P(KmeansTest, BitsDoNotDependOnThreads) {
  Clustering one = Clustering::Random(3, 777, 64, 64, 9);
  Clustering three = one;
  EXPECT_EQ(one.Iterate(GetParam().loop, 4, 1),
            three.Iterate(GetParam().loop, 4, 3));
  EXPECT_EQ(one.centroids, three.centroids);
  EXPECT_EQ(one.labels, three.labels);
}

TEST_P(KmeansTest, HeadsDoNotMeet) {
  Clustering both = Clustering::Random(2, 100, 64, 10, 5);
  Clustering second(1, 100, 64, 10, std::vector<float>(6400),
                    std::vector<float>(640));
  std::copy_n(both.points.begin() + 6400, 6400, second.points.begin());
  std::copy_n(both.centroids.begin() + 640, 640, second.centroids.begin());
  both.Iterate(GetParam().loop, 3);
  second.Iterate(GetParam().loop, 3);
  EXPECT_TRUE(std::equal(second.centroids.begin(), second.centroids.end(),
                         both.centroids.begin() + 640));
  EXPECT_TRUE(std::equal(second.labels.begin(), second.labels.end(),
                         both.labels.begin() + 100));
}

class DrawTest : public VersionTest<Draw> {};

INSTANTIATE_TEST_SUITE_P(Versions, DrawTest, ::testing::Values(&KmeansDraw));
#ifdef QVG_TEST_DEVICE
INSTANTIATE_TEST_SUITE_P(Device, DrawTest,
                         ::testing::Values(&KmeansDrawOnDevice));
#endif

TEST_P(DrawTest, DrawsPointsOfTheHeadFromTheSeedAlone) {
  std::vector<float> values;
  for (int row = 0; row < 2 * 50; ++row) values.push_back(row);
  Clustering c(2, 50, 16, 256, Repeat(values, 16),
               std::vector<float>(2 * 256 * 16));
  ASSERT_TRUE(GetParam()(c.args, 7).ok());
  std::set<float> drawn[2];
  for (int i = 0; i < 512; ++i) {
    const float value = BFloat16ToFloat(c.centroids[i * 16 + 15]);
    EXPECT_EQ(static_cast<int>(value) / 50, i / 256);
    drawn[i / 256].insert(value);
  }
  // 256 draws with replacement miss a share of e^-5.1 of 50 tokens.
  EXPECT_GT(drawn[0].size(), 45);
  EXPECT_GT(drawn[1].size(), 45);
  const std::vector<uint16_t> first = c.centroids;
  ASSERT_TRUE(GetParam()(c.args, 7).ok());
  EXPECT_EQ(c.centroids, first);
  Clustering plain = c;
  ASSERT_TRUE(KmeansDraw(plain.args, 7).ok());
  EXPECT_EQ(c.centroids, plain.centroids);
  ASSERT_TRUE(GetParam()(c.args, 8).ok());
  EXPECT_NE(c.centroids, first);
}

TEST_P(DrawTest, NeedsAPoint) {
  Clustering c(1, 0, 16, 2, {}, std::vector<float>(32));
  EXPECT_THAT(GetParam()(c.args, 7).message, HasSubstr("points"));
}

TEST_P(KmeansTest, ErrorsNameTheField) {
  SerialFor serial;
  const Clustering good(1, 2, 16, 2, Repeat({1, 2}, 16), Repeat({1, 2}, 16));
  AlignedBuffer workspace(KmeansWorkspaceBytes(good.args, serial) + 1);
  const auto message = [&](auto change) {
    KmeansArgs args = good.args;
    size_t bytes = workspace.size() - 1;
    change(args, bytes);
    return std::string(
        GetParam()
            .loop(args, 2, workspace.data(), bytes, serial, nullptr)
            .message);
  };
  EXPECT_EQ(message([](auto&, auto&) {}), "");
  EXPECT_THAT(message([](auto& a, auto&) { a.clusters = 0; }),
              HasSubstr("clusters"));
  EXPECT_THAT(message([](auto& a, auto&) { a.clusters = 257; }),
              HasSubstr("clusters"));
  EXPECT_THAT(message([](auto& a, auto&) { a.points.dim = 20; }),
              HasSubstr("dim"));
  EXPECT_THAT(message([](auto& a, auto&) { a.centroids = nullptr; }),
              HasSubstr("centroids"));
  EXPECT_THAT(message([](auto& a, auto&) { a.labels = nullptr; }),
              HasSubstr("labels"));
  EXPECT_THAT(message([](auto&, auto& bytes) { --bytes; }),
              HasSubstr("workspace_bytes"));
  EXPECT_THAT(std::string(GetParam()
                              .loop(good.args, 0, workspace.data(),
                                    workspace.size(), serial, nullptr)
                              .message),
              HasSubstr("max_rounds"));
  char* unaligned = static_cast<char*>(workspace.data()) + 1;
  EXPECT_THAT(std::string(GetParam()
                              .assign(good.args, unaligned,
                                      workspace.size() - 1, serial)
                              .message),
              HasSubstr("aligned"));
}

TEST(CounterRandom, IsUniformAndKeyed) {
  int buckets[10] = {};
  for (uint64_t i = 0; i < 10000; ++i) ++buckets[RandomBelow(1, i, 10)];
  for (const int count : buckets) EXPECT_NEAR(count, 1000, 150);
  EXPECT_NE(RandomBits(1, 0), RandomBits(0, 1));
  EXPECT_NE(RandomBits(1, 1), RandomBits(2, 0));
  EXPECT_EQ(RandomBelow(3, 3, 1), 0);
}

}  // namespace
}  // namespace qvg::kernels
