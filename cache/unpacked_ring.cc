#include "cache/unpacked_ring.h"

#include <algorithm>
#include <utility>

#include "cache/kernel_status.h"
#include "cache/segments.h"
namespace qvg {
namespace {

UnpackedBlock BlockOf(const KvLayout& layout, const LayerGroup& group,
                      int slots, ElementType type) {
  UnpackedBlock block;
  block.shape.layers = static_cast<int>(group.layers.size());
  block.shape.heads = layout.heads;
  block.shape.head_dim = layout.head_dim;
  block.shape.tokens = int64_t{slots} * layout.tokens_per_chunk;
  block.type = type;
  return block;
}

}  // namespace

int64_t UnpackedRing::Bytes(const KvLayout& layout, const LayerGroup& group,
                            int slots, ElementType type) {
  return BlockOf(layout, group, slots, type).bytes();
}

absl::StatusOr<UnpackedRing> UnpackedRing::Create(const KvLayout& layout,
                                                  const LayerGroup& group,
                                                  int slots, ElementType type,
                                                  Reservation& reservation) {
  UnpackedRing ring;
  ring.layers_ = group.layers;
  ring.slots_ = slots;
  ring.tokens_per_chunk_ = layout.tokens_per_chunk;
  ring.block_ = BlockOf(layout, group, slots, type);
  absl::StatusOr<PoolBuffer> buffer =
      reservation.Allocate(BytesKind::kBoundary, ring.block_.bytes());
  if (!buffer.ok()) return buffer.status();
  ring.buffer_ = *std::move(buffer);
  return ring;
}

absl::Status UnpackedRing::Write(int64_t chunk,
                                 absl::Span<const kernels::KvSegment> layers,
                                 const kernels::Executor& executor) {
  const int64_t first = chunk % slots_ * tokens_per_chunk_;
  std::vector<kernels::TokenCopy> copies;
  for (int i = 0; i < 2 * static_cast<int>(layers_.size()); ++i) {
    copies.push_back(block_.CopyOf(TensorOf(layers[layers_[i / 2]], i % 2),
                                   i / 2, i % 2, first,
                                   buffer_.range().data()));
  }
  return ToStatus(kernels::CopyTokens(
      copies.data(), static_cast<int>(copies.size()), executor));
}

kernels::KvSegment UnpackedRing::View(int index, int64_t first,
                                      int64_t count) const {
  return block_.View(buffer_.range().data(), index,
                     first % slots_ * tokens_per_chunk_,
                     count * tokens_per_chunk_);
}

void UnpackedRing::AppendSegments(
    int index, int64_t first, int64_t count,
    std::vector<kernels::KvSegment>* segments) const {
  if (count == 0) return;
  const int64_t head = std::min(count, slots_ - first % slots_);
  segments->push_back(View(index, first, head));
  if (head < count)
    segments->push_back(View(index, first + head, count - head));
}

}  // namespace qvg
