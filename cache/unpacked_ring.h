#ifndef CACHE_UNPACKED_RING_H_
#define CACHE_UNPACKED_RING_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cache/cache_spec.h"
#include "cache/kv_layout.h"
#include "cache/layer_groups.h"
#include "cache/pool/memory_pool.h"
#include "cache/unpacked_block.h"
#include "kernels/executor.h"
#include "kernels/packed_tensor.h"

namespace qvg {

// Room for the unpacked keys and values of the newest chunks of a group of
// layers; chunk n lies in slot n % slots. Which chunks are there is the
// owner's business. Move-only, thread-compatible.
class UnpackedRing {
 public:
  UnpackedRing() = default;  // no slots

  // RESOURCE_EXHAUSTED when `reservation` has no room.
  static absl::StatusOr<UnpackedRing> Create(const KvLayout& layout,
                                             const LayerGroup& group, int slots,
                                             ElementType type,
                                             Reservation& reservation);

  // Size of the ring's buffer.
  static int64_t Bytes(const KvLayout& layout, const LayerGroup& group,
                       int slots, ElementType type);

  // Stores chunk `chunk` out of `layers`, the segments of all layers of the
  // model. Fails only where a device does, which is then lost.
  absl::Status Write(int64_t chunk, absl::Span<const kernels::KvSegment> layers,
                     const kernels::Executor& executor);

  // Chunks [first, first + count) of the group's layer number `index`, which
  // lie in consecutive slots.
  kernels::KvSegment View(int index, int64_t first, int64_t count) const;

  // The same of any chunks, count <= slots, in one piece or two, oldest first.
  void AppendSegments(int index, int64_t first, int64_t count,
                      std::vector<kernels::KvSegment>* segments) const;

  int slots() const { return slots_; }
  const PoolBuffer& buffer() const { return buffer_; }

 private:
  std::vector<int> layers_;
  int slots_ = 0;
  int64_t tokens_per_chunk_ = 0;
  UnpackedBlock block_;
  PoolBuffer buffer_;
};

}  // namespace qvg

#endif  // CACHE_UNPACKED_RING_H_
