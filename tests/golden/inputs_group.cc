#include <cmath>

#include "kernels/decode_tile.h"
#include "tests/golden/groups.h"
#include "tests/golden/packed_span.h"

namespace qvg::golden {
namespace {

bool DecodesToNumbers(const kernels::PackedTensor& tensor) {
  std::vector<float> rows(tensor.tokens * tensor.codec.head_dim);
  for (int head = 0; head < tensor.heads; ++head) {
    kernels::DecodeTile(tensor, head, 0, tensor.tokens, rows.data());
    for (const float value : rows) {
      if (!std::isfinite(value)) return false;
    }
  }
  return true;
}

}  // namespace

// Every codec without tables takes what it must, refuses what it must, and
// never decodes to anything but numbers.
void CheckInputs(const GoldenCase& golden, Checks* checks) {
  const PointSet points = golden.Points("x");
  const bool accept = golden.json().at("expect").get<std::string>() == "accept";
  for (const char* text :
       {"bf16", "qvg:centroids=16", "qvg:bits=4,stages=4",
        "qvg-minmax:block=16", "qvg-search", "qvg-four:stages=2",
        "qvg-four-search", "qvg-search-base3:block=32", "rtn", "rtn:bits=4",
        "kivi", "kivi:bits=4,block=64", "quarot"}) {
    const PackedSpan span(points, text);
    const absl::Status& status = span.status();
    const std::string what = std::string("expect, codec ") + text;
    if (!accept) {
      checks->Expect(status.code() == absl::StatusCode::kInvalidArgument,
                     what + ": accepted");
      continue;
    }
    checks->Expect(status.ok() && DecodesToNumbers(span.View().keys),
                   what + ": " + std::string(status.message()));
  }
}

}  // namespace qvg::golden
