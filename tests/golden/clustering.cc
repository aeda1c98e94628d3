#include "tests/golden/clustering.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/kmeans.h"
#include "kernels/numeric.h"
#include "kernels/thread_pool.h"
#include "tests/golden/operations.h"
#include "tests/kernels/aligned_buffer.h"

namespace qvg::golden {
namespace {

using kernels::BFloat16ToFloat;

kernels::KmeansArgs ArgsOf(Clustering* clustering) {
  kernels::KmeansArgs args;
  args.points = clustering->points.View();
  args.clusters = clustering->clusters;
  args.centroids = clustering->centroids.data();
  clustering->labels.resize(args.points.heads * args.points.tokens);
  args.labels = clustering->labels.data();
  return args;
}

bool SmallIntegers(const std::vector<uint16_t>& values, float limit) {
  return std::all_of(values.begin(), values.end(), [limit](uint16_t bits) {
    const float value = BFloat16ToFloat(bits);
    return std::trunc(value) == value && std::abs(value) <= limit;
  });
}

}  // namespace

void Clustering::Assign() {
  const kernels::KmeansArgs args = ArgsOf(this);
  kernels::SerialFor serial;
  kernels::AlignedBuffer workspace(kernels::KmeansWorkspaceBytes(args, serial));
  const kernels::Error error =
      Selected().assign(args, workspace.data(), workspace.size(), serial);
  if (!error.ok()) throw GoldenError(error.message);
}

int Clustering::Iterate(int max_rounds) {
  const kernels::KmeansArgs args = ArgsOf(this);
  kernels::SerialFor serial;
  kernels::AlignedBuffer workspace(kernels::KmeansWorkspaceBytes(args, serial));
  int rounds = 0;
  const kernels::Error error = Selected().kmeans(
      args, max_rounds, workspace.data(), workspace.size(), serial, &rounds);
  if (!error.ok()) throw GoldenError(error.message);
  return rounds;
}

double Clustering::Distance(int head, int64_t token, int cluster) const {
  const uint16_t* centroid =
      centroids.data() + (int64_t{head} * clusters + cluster) * points.dim;
  double sum = 0;
  for (int d = 0; d < points.dim; ++d) {
    const double difference = double{points.At(head, token, d)} -
                              double{BFloat16ToFloat(centroid[d])};
    sum += difference * difference;
  }
  return sum;
}

double Clustering::Inertia(int head) const {
  double sum = 0;
  for (int64_t t = 0; t < points.tokens; ++t) {
    sum += Distance(head, t, labels[head * points.tokens + t]);
  }
  return sum;
}

double Clustering::MaxCentroidNorm2() const {
  double largest = 0;
  for (size_t i = 0; i < centroids.size(); i += points.dim) {
    double sum = 0;
    for (int d = 0; d < points.dim; ++d) {
      sum += std::pow(double{BFloat16ToFloat(centroids[i + d])}, 2);
    }
    largest = std::max(largest, sum);
  }
  return largest;
}

double Clustering::Margin(int head, int64_t token) const {
  double nearest = std::numeric_limits<double>::infinity();
  double second = nearest;
  for (int k = 0; k < clusters; ++k) {
    const double distance = Distance(head, token, k);
    second = std::min(second, std::max(nearest, distance));
    nearest = std::min(nearest, distance);
  }
  return second - nearest;
}

bool Clustering::IsExact() const {
  const float limit = std::sqrt(0x1p24f / static_cast<float>(points.dim)) / 2;
  return SmallIntegers(points.values, limit) && SmallIntegers(centroids, limit);
}

}  // namespace qvg::golden
