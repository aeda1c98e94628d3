#ifndef CACHE_CODEC_MIN_MAX_CODEC_H_
#define CACHE_CODEC_MIN_MAX_CODEC_H_

#include <memory>

#include "cache/codec/codec.h"

namespace qvg {

// KIVI (arXiv 2402.02750): `bits` (2 or 4) per channel, keys in groups of
// `block` tokens per channel, values in groups of `block` channels per token.
// Keys of the tokens that fill no group stay BF16.
std::unique_ptr<Codec> MakeKiviCodec(int bits, int block);

// QuaRot's cache (arXiv 2404.00456): keys and values times a Hadamard matrix
// over the channels, then one group per token and head.
std::unique_ptr<Codec> MakeQuarotCodec(int bits);

}  // namespace qvg

#endif  // CACHE_CODEC_MIN_MAX_CODEC_H_
