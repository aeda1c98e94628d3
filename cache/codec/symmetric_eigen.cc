#include "cache/codec/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace qvg {
namespace {

// Convergence is quadratic: a dozen sweeps do for any size we have.
constexpr int kMaxSweeps = 60;

// The rotation that zeroes element (p,q).
struct Rotation {
  int p, q;
  double cosine, sine;
};

Rotation RotationFor(const std::vector<double>& a, int n, int p, int q) {
  const double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
  const double tangent =
      std::copysign(1, theta) / (std::abs(theta) + std::hypot(1, theta));
  const double cosine = 1 / std::hypot(1, tangent);
  return {p, q, cosine, tangent * cosine};
}

void RotateColumns(const Rotation& r, int n, std::vector<double>* m) {
  for (int i = 0; i < n; ++i) {
    double& left = (*m)[i * n + r.p];
    double& right = (*m)[i * n + r.q];
    const double old = left;
    left = r.cosine * old - r.sine * right;
    right = r.sine * old + r.cosine * right;
  }
}

void RotateRows(const Rotation& r, int n, std::vector<double>* m) {
  for (int i = 0; i < n; ++i) {
    double& upper = (*m)[r.p * n + i];
    double& lower = (*m)[r.q * n + i];
    const double old = upper;
    upper = r.cosine * old - r.sine * lower;
    lower = r.sine * old + r.cosine * lower;
  }
}

double SquaredNorm(const std::vector<double>& a) {
  return std::inner_product(a.begin(), a.end(), a.begin(), 0.0);
}

double OffDiagonal(const std::vector<double>& a, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < i; ++j) sum += 2 * a[i * n + j] * a[i * n + j];
  }
  return sum;
}

SymmetricEigen Sorted(const std::vector<double>& a,
                      const std::vector<double>& vectors, int n) {
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int i, int j) { return a[i * n + i] > a[j * n + j]; });
  SymmetricEigen out;
  out.vectors.resize(vectors.size());
  for (int j = 0; j < n; ++j) {
    out.values.push_back(a[order[j] * n + order[j]]);
    for (int i = 0; i < n; ++i) {
      out.vectors[i * n + j] = vectors[i * n + order[j]];
    }
  }
  return out;
}

}  // namespace

SymmetricEigen DecomposeSymmetric(std::vector<double> matrix, int n) {
  std::vector<double> vectors(matrix.size(), 0);
  for (int i = 0; i < n; ++i) vectors[i * n + i] = 1;
  const double target = 1e-28 * SquaredNorm(matrix);
  for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
    if (OffDiagonal(matrix, n) <= target) break;
    for (int p = 0; p < n; ++p) {
      for (int q = p + 1; q < n; ++q) {
        if (matrix[p * n + q] == 0) continue;
        const Rotation rotation = RotationFor(matrix, n, p, q);
        RotateColumns(rotation, n, &matrix);
        RotateRows(rotation, n, &matrix);
        RotateColumns(rotation, n, &vectors);
      }
    }
  }
  return Sorted(matrix, vectors, n);
}

}  // namespace qvg
