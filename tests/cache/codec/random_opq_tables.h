#ifndef TESTS_CACHE_CODEC_RANDOM_OPQ_TABLES_H_
#define TESTS_CACHE_CODEC_RANDOM_OPQ_TABLES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "cache/codec/opq_tables.h"

namespace qvg {

// Orthogonal rotations, means of .5, entries of unit variance.
std::vector<OpqLayer> RandomOpqLayers(int layers, int heads, int head_dim,
                                      uint64_t seed);
std::unique_ptr<OpqTables> RandomOpqTables(int layers, int heads, int head_dim,
                                           uint64_t seed);

}  // namespace qvg

#endif  // TESTS_CACHE_CODEC_RANDOM_OPQ_TABLES_H_
