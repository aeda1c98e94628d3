#ifndef CACHE_CODEC_RESIDUAL_CODEC_H_
#define CACHE_CODEC_RESIDUAL_CODEC_H_

#include <memory>

#include "cache/codec/codec.h"
#include "kernels/quantize.h"

namespace qvg {

// What codecs of Encoding::kResidual differ in. Ranges are those of
// kernels::CodecDescriptor.
struct ResidualOptions {
  kernels::QuantizeRule rule = kernels::QuantizeRule::kAbsmax;
  int bits = 2;
  bool trits = false;  // codes of 2 bits, symmetric: five to a byte
  int block = 64;
  int stages = 0;      // 0: the residual is the token itself
  int centroids = 0;   // per stage and head; private to the span
  int iterations = 0;  // rounds of k-means per stage, at least 1
};

// Quant VideoGen (arXiv 2602.02958): `stages` times k-means over the tokens of
// each head and the nearest centroid taken off, then the residual in blocks of
// channels. With no stages and QuantizeRule::kRoundToNearest its baseline.
std::unique_ptr<Codec> MakeResidualCodec(const ResidualOptions& options);

}  // namespace qvg

#endif  // CACHE_CODEC_RESIDUAL_CODEC_H_
