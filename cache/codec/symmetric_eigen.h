#ifndef CACHE_CODEC_SYMMETRIC_EIGEN_H_
#define CACHE_CODEC_SYMMETRIC_EIGEN_H_

#include <vector>

namespace qvg {

struct SymmetricEigen {
  std::vector<double> values;   // [n], falling
  std::vector<double> vectors;  // [n,n], column j belongs to values[j]
};

// Eigenvalues and orthonormal eigenvectors of the symmetric matrix [n,n], by
// cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations, 8.5).
SymmetricEigen DecomposeSymmetric(std::vector<double> matrix, int n);

}  // namespace qvg

#endif  // CACHE_CODEC_SYMMETRIC_EIGEN_H_
