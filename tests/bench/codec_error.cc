#include "tests/bench/codec_error.h"

#include <cmath>
#include <vector>

#include "kernels/decode_tile.h"
#include "kernels/numeric.h"
#include "tests/golden/packed_span.h"

namespace qvg::bench {
namespace {

using kernels::PackedTensor;

// Sum of the centroids of one number.
double Centroids(const PackedTensor& t, int head, int64_t token, int channel) {
  double sum = 0;
  for (int s = 0; s < t.codec.stages; ++s) {
    const int64_t stage = int64_t{s} * t.heads + head;
    const int id = t.ids[stage * t.tokens + token];
    const int64_t row = stage * t.codec.centroids + id;
    sum +=
        kernels::BFloat16ToFloat(t.centroids[row * t.codec.head_dim + channel]);
  }
  return sum;
}

struct Energies {
  double points = 0, residual = 0, error = 0;
};

void Add(const golden::PointSet& points, const PackedTensor& packed, int head,
         Energies* sum) {
  std::vector<float> decoded(points.tokens * points.dim);
  kernels::DecodeTile(packed, head, 0, points.tokens, decoded.data());
  for (int64_t token = 0; token < points.tokens; ++token) {
    for (int d = 0; d < points.dim; ++d) {
      const double x = points.At(head, token, d);
      sum->points += x * x;
      sum->residual += std::pow(x - Centroids(packed, head, token, d), 2);
      sum->error += std::pow(x - decoded[token * points.dim + d], 2);
    }
  }
}

}  // namespace

CodecError MeasureCodec(const golden::PointSet& points, const std::string& spec,
                        bool as_keys) {
  const golden::PackedSpan span(points, spec);
  if (!span.status().ok()) {
    throw golden::GoldenError(std::string(span.status().message()));
  }
  const kernels::KvSegment view = span.View();
  const PackedTensor& packed = as_keys ? view.keys : view.values;
  Energies sum;
  for (int head = 0; head < points.heads; ++head) {
    Add(points, packed, head, &sum);
  }
  const auto tokens = static_cast<double>(points.tokens);
  CodecError out;
  out.bits = 8.0 * static_cast<double>(span.bytes()) /
             (2.0 * points.heads * points.dim * tokens);
  out.codebook_bits =
      16.0 * packed.codec.stages * packed.codec.centroids / tokens;
  out.rel_l2 = std::sqrt(sum.error / sum.points);
  out.residual_error = sum.error / sum.residual;
  return out;
}

}  // namespace qvg::bench
