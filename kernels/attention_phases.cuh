#ifndef KERNELS_ATTENTION_PHASES_CUH_
#define KERNELS_ATTENTION_PHASES_CUH_

#include "kernels/attention_spaces.cuh"
#include "kernels/packed_tensor.h"

namespace qvg::kernels::device {

// Segments that follow each other, of the same spaces; the first has tokens.
struct Phase {
  const KvSegment* begin;
  const KvSegment* end;
  Space keys;
  Space values;
};

// Keys that are turned by their positions are met as stored.
template <bool kRotary>
__device__ Space KeySpace(const KvSegment& segment, int head) {
  return kRotary ? Space() : SpaceOf(segment.keys, head);
}

// The phase from the first segment with tokens on; false if there is none.
template <bool kRotary>
__device__ bool NextPhase(const KvSegment* begin, const KvSegment* end,
                          int head, Phase* phase) {
  while (begin < end && begin->keys.tokens == 0) ++begin;
  if (begin >= end) return false;
  *phase = {begin, begin, KeySpace<kRotary>(*begin, head),
            SpaceOf(begin->values, head)};
  while (phase->end < end &&
         (phase->end->keys.tokens == 0 ||
          (KeySpace<kRotary>(*phase->end, head) == phase->keys &&
           SpaceOf(phase->end->values, head) == phase->values))) {
    ++phase->end;
  }
  return true;
}

}  // namespace qvg::kernels::device

#endif  // KERNELS_ATTENTION_PHASES_CUH_
