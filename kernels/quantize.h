#ifndef KERNELS_QUANTIZE_H_
#define KERNELS_QUANTIZE_H_

#include <cstdint>

#include "kernels/cuda_stream.h"
#include "kernels/error.h"
#include "kernels/parallel_for.h"
#include "kernels/rows.h"

namespace qvg::kernels {

// How a block of channels becomes codes and an E4M3 scale; Q = 2^(bits-1) - 1.
// The rules are those of the official QVG code.
enum class QuantizeRule : uint8_t {
  // Scale max|r| / Q, at least 1e-10, to nearest even, at most 448; codes
  // round(r / scale), halves away from 0, within +-Q. A block of scale 0 has
  // codes 0.
  kAbsmax,
  // Asymmetric: zero min(r), scale (max - min) / (2^bits - 1); codes
  // round((r - zero) / scale) within 0 and 2^bits - 1.
  kMinMax,
  // The round-to-nearest baseline: as kAbsmax, but the scale is rounded to
  // BF16 and then to E4M3, halves up, at least 2^-9; the quotient is rounded
  // to BF16 and then to an integer, halves to even.
  kRoundToNearest,
  // As kAbsmax for 2 bits, but with the scale that errs least of those within
  // two octaves (16 E4M3 patterns) below, the largest of equals.
  kSearch,
  // Four levels of 2 bits (CodecDescriptor::four_levels): magnitude max|r| in
  // E4M3 as kAbsmax, and the ratio that errs less, the smaller of equals.
  // Codes are of the nearest level, the outer one when between two. A block of
  // scale 0 has codes 2.
  kFourLevels,
  // The same with the pair of magnitude and ratio that errs least, magnitudes
  // as for kSearch.
  kFourSearch,
  // These three compare errors in FP32 |r| / max|r| (max|r| unrounded), codes
  // of four levels in |r| / scale, rounded to nearest even in units of 1/2048
  // and 1/1024, the levels too, and at most 2.
};

// Whether codes are those of CodecDescriptor::four_levels.
constexpr bool HasFourLevels(QuantizeRule rule) {
  return rule == QuantizeRule::kFourLevels || rule == QuantizeRule::kFourSearch;
}

// Residuals in, codes and scales out, in the layouts of PackedTensor.
struct QuantizeArgs {
  Points points;  // not changed
  QuantizeRule rule = QuantizeRule::kAbsmax;
  int bits = 0;               // 2 or 4
  bool trits = false;         // symmetric rules, 2 bits: codes [T,H,ceil(D/5)]
  int block = 0;              // 16, 32 or 64, a divisor of the dim
  uint8_t* codes = nullptr;   // [T,H,D*bits/8]
  uint8_t* scales = nullptr;  // [T,H,D/block]
  uint8_t* zeros = nullptr;   // kMinMax: as scales
};

// Fastest version the processor has.
Error Quantize(const QuantizeArgs& args, ParallelFor& parallel_for);

// The plain version, equal bit for bit.
Error QuantizeReference(const QuantizeArgs& args, ParallelFor& parallel_for);

// On the device, equal bit for bit. Points must be aligned to 16 bytes, codes
// to 4 unless they are trits.
Error QuantizeCuda(const QuantizeArgs& args, CudaStream stream);

}  // namespace qvg::kernels

#endif  // KERNELS_QUANTIZE_H_
