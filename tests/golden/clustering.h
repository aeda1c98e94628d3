#ifndef TESTS_GOLDEN_CLUSTERING_H_
#define TESTS_GOLDEN_CLUSTERING_H_

#include <cstdint>
#include <vector>

#include "tests/golden/golden_case.h"

namespace qvg::golden {

// Points with centroids BF16 [H,K,D] and labels [H,T].
struct Clustering {
  PointSet points;
  int clusters = 0;
  std::vector<uint16_t> centroids;
  std::vector<uint8_t> labels;

  // Both throw GoldenError if the kernel refuses.
  void Assign();
  int Iterate(int max_rounds);  // returns the rounds done

  // In float64.
  double Distance(int head, int64_t token, int cluster) const;
  double Inertia(int head) const;
  double MaxCentroidNorm2() const;
  // How much farther than the nearest the second nearest centroid is.
  double Margin(int head, int64_t token) const;
  // Whether all coordinates are integers so small that FP32 sums are exact.
  bool IsExact() const;
};

}  // namespace qvg::golden

#endif  // TESTS_GOLDEN_CLUSTERING_H_
