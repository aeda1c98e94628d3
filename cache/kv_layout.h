#ifndef CACHE_KV_LAYOUT_H_
#define CACHE_KV_LAYOUT_H_

#include <cstdint>
#include <vector>

namespace qvg {

// The shape of a model's attention history.
struct KvLayout {
  int heads = 0;
  int head_dim = 0;
  int tokens_per_chunk = 0;
  // One entry per layer: how many chunks before the one in flight the layer
  // attends to; 0 means all of them. Layers with a window keep it unpacked in
  // the BoundaryState; the others are the packed history.
  std::vector<int> window_chunks;

  int layers() const { return static_cast<int>(window_chunks.size()); }
  bool operator==(const KvLayout&) const = default;
};

}  // namespace qvg

#endif  // CACHE_KV_LAYOUT_H_
