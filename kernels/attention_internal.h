#ifndef KERNELS_ATTENTION_INTERNAL_H_
#define KERNELS_ATTENTION_INTERNAL_H_

#include <cstddef>
#include <cstdint>

#include "kernels/attention.h"

namespace qvg::kernels::internal {

// The cut into work items: so many queries of one head share a decoded tile
// of so many keys. Shape alone decides, so threads cannot change a result.
inline constexpr int kQueryBlock = 128;
inline constexpr int kKeyTile = 128;

// Queries [first, first + count) of one head.
struct QueryBlock {
  int head = 0;
  int64_t first = 0;
  int count = 0;
};

// Keys [first, first + count) of one segment.
struct KeyTile {
  const KvSegment* segment = nullptr;
  int64_t first = 0;
  int count = 0;
};

// Calls visit(KeyTile) for all keys in order; no tile spans two segments.
template <typename Visitor>
void ForEachTile(const AttentionArgs& args, const Visitor& visit) {
  for (int s = 0; s < args.num_segments; ++s) {
    const int64_t tokens = args.segments[s].keys.tokens;
    for (int64_t first = 0; first < tokens; first += kKeyTile) {
      const int64_t left = tokens - first;
      visit(KeyTile{&args.segments[s], first,
                    static_cast<int>(left < kKeyTile ? left : kKeyTile)});
    }
  }
}

// One work item, with the 64-byte aligned workspace that its ...Floats()
// states.
using AttendBlockFunction = void (*)(const AttentionArgs& args,
                                     const QueryBlock& block, float* workspace);

void AttendBlockReference(const AttentionArgs& args, const QueryBlock& block,
                          float* workspace);
size_t ReferenceFloats(int head_dim);

void AttendBlockFast(const AttentionArgs& args, const QueryBlock& block,
                     float* workspace);
size_t FastFloats(int head_dim);

}  // namespace qvg::kernels::internal

#endif  // KERNELS_ATTENTION_INTERNAL_H_
