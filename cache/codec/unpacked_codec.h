#ifndef CACHE_CODEC_UNPACKED_CODEC_H_
#define CACHE_CODEC_UNPACKED_CODEC_H_

#include <memory>

#include "cache/cache_spec.h"
#include "cache/codec/codec.h"

namespace qvg {

// bf16: spans hold the tokens as they are (UnpackedBlock).
std::unique_ptr<Codec> MakeUnpackedCodec(ElementType type);

}  // namespace qvg

#endif  // CACHE_CODEC_UNPACKED_CODEC_H_
