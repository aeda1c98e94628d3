#ifndef TESTS_GOLDEN_PACKED_SPAN_H_
#define TESTS_GOLDEN_PACKED_SPAN_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "cache/codec/codec.h"
#include "tests/golden/golden_case.h"
#include "tests/kernels/aligned_buffer.h"

namespace qvg::golden {

// Points as both keys and values of a span of one layer, through a codec
// without tables.
class PackedSpan {
 public:
  // `spec` as in ParseCacheSpec. Throws GoldenError if it resolves to nothing.
  PackedSpan(const PointSet& points, const std::string& spec);

  // Of the check that they are finite, or of the encoding.
  const absl::Status& status() const { return status_; }
  int64_t bytes() const { return static_cast<int64_t>(span_->size()); }
  // What attention reads.
  kernels::KvSegment View() const;

 private:
  absl::Status Encode(const PointSet& points);

  std::unique_ptr<Codec> codec_;
  SpanShape shape_;
  std::unique_ptr<kernels::AlignedBuffer> span_;
  absl::Status status_;
};

}  // namespace qvg::golden

#endif  // TESTS_GOLDEN_PACKED_SPAN_H_
