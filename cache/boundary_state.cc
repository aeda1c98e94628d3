#include "cache/boundary_state.h"

#include <algorithm>
#include <utility>

#include "cache/layer_groups.h"

namespace qvg {
namespace {

// Up to r + span_chunks - 1 chunks wait in the tail. A whole number of spans,
// so that none of them goes round the end of the ring.
int TailSlots(const CacheSpec& spec, const LayerGroups& groups) {
  if (groups.global.layers.empty()) return 0;
  const int chunks = spec.tail_chunks + spec.span_chunks - 1;
  return (chunks + spec.span_chunks - 1) / spec.span_chunks * spec.span_chunks;
}

}  // namespace

absl::StatusOr<BoundaryState> BoundaryState::Create(const KvLayout& layout,
                                                    const CacheSpec& spec,
                                                    int64_t model_bytes,
                                                    Reservation& reservation,
                                                    Reservation& host) {
  const LayerGroups groups(layout);
  BoundaryState state;
  for (const LayerGroup& group : groups.windows) {
    auto ring = UnpackedRing::Create(layout, group, group.window_chunks,
                                     spec.unpacked, reservation);
    if (!ring.ok()) return ring.status();
    state.windows.push_back(*std::move(ring));
  }
  auto tail =
      UnpackedRing::Create(layout, groups.global, TailSlots(spec, groups),
                           spec.unpacked, reservation);
  if (!tail.ok()) return tail.status();
  state.tail = *std::move(tail);
  auto bytes = host.Allocate(BytesKind::kBoundary, model_bytes);
  if (!bytes.ok()) return bytes.status();
  state.model_bytes = *std::move(bytes);
  std::fill(state.model_bytes.bytes().begin(), state.model_bytes.bytes().end(),
            uint8_t{0});
  return state;
}

int64_t BoundaryState::MaxBytes(const KvLayout& layout, const CacheSpec& spec,
                                int64_t model_bytes) {
  const LayerGroups groups(layout);
  int64_t sum = MemoryPool::ReservationFor(model_bytes);
  for (const LayerGroup& group : groups.windows) {
    sum += MemoryPool::ReservationFor(
        UnpackedRing::Bytes(layout, group, group.window_chunks, spec.unpacked));
  }
  return sum +
         MemoryPool::ReservationFor(UnpackedRing::Bytes(
             layout, groups.global, TailSlots(spec, groups), spec.unpacked));
}

}  // namespace qvg
