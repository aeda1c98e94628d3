#ifndef CACHE_CODEC_OPQ_CODEC_H_
#define CACHE_CODEC_OPQ_CODEC_H_

#include <memory>

#include "cache/codec/codec.h"
#include "cache/codec/opq_tables.h"

namespace qvg {

// opq: a code per four channels and a scale per token and head, in tables of
// the model. `tables` must outlive the codec; spans have its layers.
std::unique_ptr<Codec> MakeOpqCodec(const OpqTables* tables);

}  // namespace qvg

#endif  // CACHE_CODEC_OPQ_CODEC_H_
