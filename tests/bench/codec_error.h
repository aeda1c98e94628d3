#ifndef TESTS_BENCH_CODEC_ERROR_H_
#define TESTS_BENCH_CODEC_ERROR_H_

#include <string>

#include "tests/golden/golden_case.h"

namespace qvg::bench {

// What a codec makes of one tensor.
struct CodecError {
  double bits = 0;           // stored per number, keys and values together
  double codebook_bits = 0;  // of these, private centroids
  double rel_l2 = 0;         // |decoded - x| / |x|
  // Error energy over that of the residual after the centroids: what the
  // grid loses. Without centroids rel_l2 squared.
  double residual_error = 0;
};

// Packs `points` as keys or values with `spec` and compares. Throws GoldenError
// if it cannot be packed.
CodecError MeasureCodec(const golden::PointSet& points, const std::string& spec,
                        bool as_keys);

}  // namespace qvg::bench

#endif  // TESTS_BENCH_CODEC_ERROR_H_
