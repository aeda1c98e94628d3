#ifndef KERNELS_ATTENTION_PLAN_CUH_
#define KERNELS_ATTENTION_PLAN_CUH_

#include <cstdint>

#include "kernels/attention.h"
#include "kernels/packed_tensor.h"

// How the device's packed attention is cut: a block takes 128 queries of one
// head of one problem at a time, an item, and goes through the keys tile by
// tile. In each round every block has one item. The blocks of a round that
// attend to the same head are a group: they read their tiles from one ring,
// into which each tile was decoded once. All blocks decode, each for one group,
// so that small groups do not wait for few decoders. Memory is constant.
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
inline constexpr int kMaxSlots = 32;
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
  RotaryTables rotary;
  GroupState* groups;  // of head h in round r: h + r, which no two share
  uint32_t* finished;  // by round: items that are through with their tiles
  uint8_t* rings;      // [2][groups_per_round][slots] tiles, by odd and even
  int groups_per_round;
  int slots;
};

// Heads count on from problem to problem.
struct Head {
  const AttentionProblem* problem;
  int number;
  int in_problem;
  int first_item;
  int items;
};

__device__ inline Head HeadOf(const AttentionLaunch& launch, int problem,
                              int in_problem) {
  Head head;
  head.problem = &launch.problems[problem];
  head.number = problem * launch.heads + in_problem;
  head.in_problem = in_problem;
  head.items = static_cast<int>((head.problem->queries + kItemQueries - 1) /
                                kItemQueries);
  head.first_item = head.problem->first_item + in_problem * head.items;
  return head;
}

__device__ inline Head HeadOfItem(const AttentionLaunch& launch, int item) {
  int low = 0;
  int high = launch.count;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (launch.problems[middle].first_item <= item ? low : high) = middle;
  }
  const Head first = HeadOf(launch, low, 0);
  return HeadOf(launch, low, (item - first.first_item) / first.items);
}

// The blocks of one round that attend to one head.
struct Group {
  Head head;
  int state;    // index into AttentionLaunch::groups
  int ring;     // index of its ring
  int members;  // blocks
};

__device__ inline Group GroupOf(const AttentionLaunch& launch, int round,
                                const Head& head) {
  const int blocks = static_cast<int>(gridDim.x);
  const int first = round * blocks;
  const int end = min(first + blocks, launch.items);
  Group group;
  group.head = head;
  group.state = head.number + round;
  group.ring = round % 2 * launch.groups_per_round + head.number -
               HeadOfItem(launch, first).number;
  group.members =
      min(head.first_item + head.items, end) - max(head.first_item, first);
  return group;
}

// What a block decodes in a round: every `stride`th tile of a group.
struct Duty {
  Group group;
  int first;
  int stride;
};

__device__ inline Duty DutyIn(const AttentionLaunch& launch, int round) {
  const int blocks = static_cast<int>(gridDim.x);
  const int block = static_cast<int>(blockIdx.x);
  const int end = min((round + 1) * blocks, launch.items);
  const int first_head = HeadOfItem(launch, round * blocks).number;
  const int groups = HeadOfItem(launch, end - 1).number - first_head + 1;
  const int number = first_head + block % groups;
  const Head head =
      HeadOf(launch, number / launch.heads, number % launch.heads);
  return {GroupOf(launch, round, head), block / groups,
          (blocks - block % groups + groups - 1) / groups};
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
      : segment_(begin - 1), end_(end) {}

  __device__ bool Next(KeyTile* tile) {
    while (left_ == 0) {
      if (++segment_ >= end_) return false;
      left_ = segment_->keys.tokens;
      first_ = 0;
    }
    const int count = left_ < kKeys ? static_cast<int>(left_) : kKeys;
    *tile = {segment_, first_, count};
    first_ += count;
    left_ -= count;
    return true;
  }

 private:
  const KvSegment* segment_;
  const KvSegment* end_;
  int64_t first_ = 0;
  int64_t left_ = 0;
};

}  // namespace qvg::kernels::device

#endif  // KERNELS_ATTENTION_PLAN_CUH_
