#include "cache/layer_groups.h"

namespace qvg {
namespace {

// Index of the group of this window, made if it is the first of its kind.
int FindOrAdd(std::vector<LayerGroup>& windows, int window_chunks) {
  int i = 0;
  while (i < windows.size() && windows[i].window_chunks != window_chunks) ++i;
  if (i == windows.size()) windows.emplace_back().window_chunks = window_chunks;
  return i;
}

}  // namespace

LayerGroups::LayerGroups(const KvLayout& layout) {
  for (int layer = 0; layer < layout.layers(); ++layer) {
    const int window_chunks = layout.window_chunks[layer];
    Place place;
    if (window_chunks > 0) place.window = FindOrAdd(windows, window_chunks);
    LayerGroup& group = place.window < 0 ? global : windows[place.window];
    place.index = static_cast<int>(group.layers.size());
    group.layers.push_back(layer);
    places.push_back(place);
  }
}

}  // namespace qvg
