#include "cache/codec/symmetric_eigen.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernels/random_tensors.h"

namespace qvg {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

TEST(SymmetricEigen, SolvesTwoByTwo) {
  const SymmetricEigen eigen = DecomposeSymmetric({2, 1, 1, 2}, 2);
  EXPECT_THAT(eigen.values,
              ElementsAre(DoubleNear(3, 1e-14), DoubleNear(1, 1e-14)));
  EXPECT_NEAR(eigen.vectors[0], eigen.vectors[2], 1e-14);
  EXPECT_NEAR(eigen.vectors[1], -eigen.vectors[3], 1e-14);
}

TEST(SymmetricEigen, SortsADiagonal) {
  const SymmetricEigen eigen =
      DecomposeSymmetric({1, 0, 0, 0, -3, 0, 0, 0, 7}, 3);
  EXPECT_THAT(eigen.values, ElementsAre(7, 1, -3));
  EXPECT_THAT(eigen.vectors, ElementsAre(0, 1, 0, 0, 0, 1, 1, 0, 0));
}

TEST(SymmetricEigen, ZerosHaveAnyOrthonormalBasis) {
  const SymmetricEigen eigen =
      DecomposeSymmetric(std::vector<double>(16, 0), 4);
  EXPECT_THAT(eigen.values, ElementsAre(0, 0, 0, 0));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(eigen.vectors[i * 4 + i], 1);
}

// M = V diag(values) V^T and V^T V = 1, for random matrices, one of low rank.
TEST(SymmetricEigen, RebuildsTheMatrix) {
  for (const int rank : {64, 3}) {
    const int n = 64;
    const std::vector<float> factor = kernels::RandomNormal(n * rank, 1, rank);
    std::vector<double> matrix(n * n, 0);
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < n; ++j) {
        for (int r = 0; r < rank; ++r) {
          matrix[i * n + j] +=
              double{factor[i * rank + r]} * double{factor[j * rank + r]};
        }
      }
    }
    const SymmetricEigen eigen = DecomposeSymmetric(matrix, n);
    for (int i = 0; i < n; ++i) {
      if (i > 0) {
        EXPECT_LE(eigen.values[i], eigen.values[i - 1]);
      }
      for (int j = 0; j < n; ++j) {
        double rebuilt = 0, product = 0;
        for (int k = 0; k < n; ++k) {
          rebuilt += eigen.vectors[i * n + k] * eigen.values[k] *
                     eigen.vectors[j * n + k];
          product += eigen.vectors[k * n + i] * eigen.vectors[k * n + j];
        }
        EXPECT_NEAR(rebuilt, matrix[i * n + j], 1e-10);
        EXPECT_NEAR(product, i == j ? 1 : 0, 1e-12);
      }
    }
    if (rank == 3) {
      EXPECT_NEAR(eigen.values[3], 0, 1e-10);
    }
  }
}

}  // namespace
}  // namespace qvg
