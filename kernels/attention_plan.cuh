#ifndef KERNELS_ATTENTION_PLAN_CUH_
#define KERNELS_ATTENTION_PLAN_CUH_

#include <cstdint>

#include "kernels/attention.h"
#include "kernels/packed_tensor.h"

// How the device's packed attention is cut: a block takes 128 queries of one
// head of one problem at a time, an item, and goes through the keys tile by
// tile. Blocks that work on the same head at the same time form a group: each
// decodes its share of the tiles into the group's ring, from which all of them
// read. So a tile is decoded once per group, and memory is constant.
namespace qvg::kernels::device {

inline constexpr int kItemQueries = 128;

// Keys per tile.
template <int D>
inline constexpr int kTileKeys = D == 256 ? 64 : 128;

// Bytes of a tile's keys; its values follow them and take as many.
template <int D>
inline constexpr int kTileBytes = kTileKeys<D>* D * 2;

// One AttentionArgs, without what all problems share.
struct AttentionProblem {
  const float* q;
  int64_t q_token_stride;
  int64_t q_head_stride;
  float* out;
  int64_t out_token_stride;
  int64_t out_head_stride;
  float* lse;
  const KvSegment* segments;
  int num_segments;
  int first_item;  // of the whole call
  int64_t queries;
};

// Counters of one group, all 0 at first.
inline constexpr int kMaxSlots = 16;
struct GroupState {
  uint32_t ready[kMaxSlots];  // 1 + the newest tile that lies in the slot
  uint32_t taken[kMaxSlots];  // copies of the slot's tiles that are over
};

struct AttentionLaunch {
  const AttentionProblem* problems;
  int count;
  int items;
  int heads;
  float scale;
  GroupState* groups;
  uint32_t* finished;  // items that are through with their tiles
  uint8_t* rings;      // [num_rings][slots] tiles
  int num_rings;       // group g uses ring g % num_rings
  int slots;
};

// Where an item belongs.
struct Item {
  const AttentionProblem* problem;
  int head;
  int64_t first_query;
  int round;  // of the block's items
  int group;
  int member;   // this block's number within the group
  int members;  // blocks in the group
};

__device__ inline Item ItemAt(const AttentionLaunch& launch, int index) {
  int low = 0;
  int high = launch.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (launch.problems[middle].first_item <= index ? low : high) = middle;
  }
  Item item;
  item.problem = &launch.problems[low];
  const int per_head = static_cast<int>(
      (item.problem->queries + kItemQueries - 1) / kItemQueries);
  const int within = index - item.problem->first_item;
  item.head = within / per_head;
  item.first_query = int64_t{within % per_head} * kItemQueries;
  // Items of one head that run in different rounds are in different groups;
  // of the names head + round no two groups have the same.
  item.round = index / static_cast<int>(gridDim.x);
  item.group = low * launch.heads + item.head + item.round;
  const int head_first = index - within % per_head;
  const int round_first = item.round * static_cast<int>(gridDim.x);
  const int first = max(head_first, round_first);
  item.member = index - first;
  item.members =
      min(head_first + per_head, round_first + static_cast<int>(gridDim.x)) -
      first;
  item.members = min(item.members, launch.items - first);
  return item;
}

// Keys [first, first + count) of a segment.
struct KeyTile {
  const KvSegment* segment;
  int64_t first;
  int count;
};

// Goes through the tiles of segments [begin, end); no tile spans two.
template <int kKeys>
class TileWalker {
 public:
  __device__ TileWalker(const KvSegment* begin, const KvSegment* end)
      : segment_(begin), end_(end) {}

  __device__ bool Next(KeyTile* tile) {
    while (segment_ < end_ && first_ >= segment_->keys.tokens) {
      ++segment_;
      first_ = 0;
    }
    if (segment_ >= end_) return false;
    const int64_t left = segment_->keys.tokens - first_;
    *tile = {segment_, first_, left < kKeys ? static_cast<int>(left) : kKeys};
    first_ += kKeys;
    return true;
  }

 private:
  const KvSegment* segment_;
  const KvSegment* end_;
  int64_t first_ = 0;
};

}  // namespace qvg::kernels::device

#endif  // KERNELS_ATTENTION_PLAN_CUH_
