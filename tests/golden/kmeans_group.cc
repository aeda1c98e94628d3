#include <algorithm>

#include "kernels/numeric.h"
#include "tests/golden/clustering.h"
#include "tests/golden/compare.h"
#include "tests/golden/groups.h"

namespace qvg::golden {
namespace {

Clustering Start(const GoldenCase& golden, PointSet points) {
  Array<uint16_t> init = golden.Get<uint16_t>("init");
  Clustering out;
  out.points = std::move(points);
  out.clusters = static_cast<int>(init.dim(1));
  out.centroids = std::move(init.values);
  return out;
}

// Whether two centroids are at most one BF16 step apart in every channel.
bool WithinOneStep(const uint16_t* a, const uint16_t* b, int dim) {
  const auto ordered = [](uint16_t bits) {
    const int magnitude = bits & 0x7fff;
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
  };
  for (int d = 0; d < dim; ++d) {
    if (std::abs(ordered(a[d]) - ordered(b[d])) > 1) return false;
  }
  return true;
}

// Whether a cluster has the same members by both labels of a head.
bool SameMembers(const uint8_t* a, const uint8_t* b, int64_t tokens,
                 int cluster) {
  for (int64_t t = 0; t < tokens; ++t) {
    if ((a[t] == cluster) != (b[t] == cluster)) return false;
  }
  return true;
}

// After one round the labels are those of exact assignment to the start.
void CheckFirstRound(const GoldenCase& golden, const Clustering& start,
                     const Clustering& result, Checks* checks) {
  const std::vector<uint8_t> labels =
      golden.Get<uint8_t>("exact_labels_1").values;
  const std::vector<uint16_t> centroids =
      golden.Get<uint16_t>("exact_centroids_1").values;
  const double limit = 1e-5 * start.MaxCentroidNorm2();
  const int64_t tokens = start.points.tokens;
  const int dim = start.points.dim;
  std::vector<uint8_t> actual = result.labels;
  bool means = centroids.size() == result.centroids.size();
  for (int head = 0; head < start.points.heads && means; ++head) {
    const uint8_t* own = result.labels.data() + head * tokens;
    for (int64_t t = 0; t < tokens; ++t) {
      const int64_t row = head * tokens + t;
      if (start.Margin(head, t) <= limit) actual[row] = labels.at(row);
    }
    for (int k = 0; k < start.clusters; ++k) {
      const int64_t at = (int64_t{head} * start.clusters + k) * dim;
      means &= !SameMembers(own, &labels[head * tokens], tokens, k) ||
               WithinOneStep(&result.centroids[at], &centroids[at], dim);
    }
  }
  checks->ExpectNone(Differences(actual, labels), "labels after 1 round");
  checks->Expect(means, "a centroid is over one BF16 step off after 1 round");
}

void CheckExact(const GoldenCase& golden, const nlohmann::json& row,
                const Clustering& result, int rounds, Checks* checks) {
  const std::string n = std::to_string(row.at("max_iters").get<int>());
  checks->Expect(rounds == row.at("official_iters").get<int>(),
                 n + " rounds: stopped after " + std::to_string(rounds));
  checks->ExpectNone(
      Differences(result.labels,
                  golden.Get<uint8_t>("official_labels_" + n).values),
      n + " rounds: labels");
  checks->ExpectNone(
      Differences(result.centroids,
                  golden.Get<uint16_t>("official_centroids_" + n).values),
      n + " rounds: centroids");
}

void CheckInertia(const nlohmann::json& row, const Clustering& result,
                  Checks* checks) {
  for (int head = 0; head < result.points.heads; ++head) {
    const double limit =
        1.02 * std::max(row.at("official_inertia").at(head).get<double>(),
                        row.at("exact_inertia").at(head).get<double>());
    const double inertia = result.Inertia(head);
    checks->Expect(inertia <= limit,
                   std::to_string(row.at("max_iters").get<int>()) +
                       " rounds, head " + std::to_string(head) + ": inertia " +
                       std::to_string(inertia) + "; limit " +
                       std::to_string(limit));
  }
}

// Points are given as rows with the number of times that each occurs.
void CheckRepeatedRows(const GoldenCase& golden, Checks* checks) {
  const Array<uint16_t> rows = golden.Get<uint16_t>("rows");
  const std::vector<int32_t> counts = golden.Get<int32_t>("counts").values;
  const std::vector<uint8_t> row_labels =
      golden.Get<uint8_t>("row_labels").values;
  const int dim = static_cast<int>(rows.dim(1));
  PointSet points = {{}, 1, 0, dim};
  std::vector<uint8_t> labels;
  for (size_t i = 0; i < counts.size(); ++i) {
    const auto row = rows.values.begin() + static_cast<int64_t>(i) * dim;
    for (int32_t n = 0; n < counts[i]; ++n) {
      points.values.insert(points.values.end(), row, row + dim);
    }
    points.tokens += counts[i];
    labels.insert(labels.end(), counts[i], row_labels.at(i));
  }
  Clustering clustering = Start(golden, std::move(points));
  const int rounds = clustering.Iterate(golden.json().at("max_iters"));
  checks->Expect(rounds == golden.json().at("iters_done").get<int>(),
                 "stopped after " + std::to_string(rounds) + " rounds");
  checks->ExpectNone(Differences(clustering.labels, labels), "labels");
  checks->ExpectNone(Differences(clustering.centroids,
                                 golden.Get<uint16_t>("centroids").values),
                     "centroids");
}

}  // namespace

void CheckKmeans(const GoldenCase& golden, Checks* checks) {
  if (golden.Has("rows")) return CheckRepeatedRows(golden, checks);
  const Clustering start = Start(golden, golden.Points("x"));
  const bool bit_exact = golden.json().at("bit_exact");
  for (const nlohmann::json& row : golden.json().at("rows")) {
    const int max_rounds = row.at("max_iters");
    Clustering result = start;
    const int rounds = result.Iterate(max_rounds);
    if (bit_exact) {
      CheckExact(golden, row, result, rounds, checks);
      continue;
    }
    CheckInertia(row, result, checks);
    if (max_rounds == 1) CheckFirstRound(golden, start, result, checks);
  }
}

}  // namespace qvg::golden
