#include <algorithm>
#include <cmath>

#include "tests/golden/clustering.h"
#include "tests/golden/compare.h"
#include "tests/golden/groups.h"

namespace qvg::golden {
namespace {

// One head: x is [T,D], c [K,D].
Clustering Load(const GoldenCase& golden) {
  Array<uint16_t> x = golden.Get<uint16_t>("x");
  Array<uint16_t> c = golden.Get<uint16_t>("c");
  Clustering out;
  out.points = {std::move(x.values), 1, x.dim(0), static_cast<int>(x.dim(1))};
  out.clusters = static_cast<int>(c.dim(0));
  out.centroids = std::move(c.values);
  return out;
}

}  // namespace

void CheckAssign(const GoldenCase& golden, Checks* checks) {
  Clustering clustering = Load(golden);
  const std::vector<int32_t> labels = golden.Get<int32_t>("labels").values;
  const std::vector<double> best = golden.Get<double>("best").values;
  const std::vector<double> margin = golden.Get<double>("margin").values;
  const double limit =
      1e-5 * golden.json().at("max_centroid_norm2").get<double>();
  // Where FP32 is exact, ties are real and go to the lowest index.
  const bool exact = clustering.IsExact();
  clustering.Assign();
  if (labels.size() != clustering.labels.size() ||
      best.size() != labels.size() || margin.size() != labels.size()) {
    throw GoldenError("labels, best, margin: not one per token");
  }
  std::vector<int32_t> actual(clustering.labels.begin(),
                              clustering.labels.end());
  double worst = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const double distance =
        clustering.Distance(0, static_cast<int64_t>(i), clustering.labels[i]);
    worst = std::max(worst, std::abs(distance - best[i]));
    if (!exact && margin[i] <= limit) actual[i] = labels[i];
  }
  checks->ExpectNone(Differences(actual, labels), "labels");
  checks->Expect(worst <= limit,
                 "a squared distance is off by " + std::to_string(worst));
}

}  // namespace qvg::golden
