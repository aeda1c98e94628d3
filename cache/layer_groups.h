#ifndef CACHE_LAYER_GROUPS_H_
#define CACHE_LAYER_GROUPS_H_

#include <vector>

#include "cache/kv_layout.h"

namespace qvg {

// Layers that keep the same part of the history, in the order of the model.
struct LayerGroup {
  int window_chunks = 0;
  std::vector<int> layers;
};

// The layers of a model by what they keep: those that see the whole history
// and are packed together, and one group for each window.
struct LayerGroups {
  struct Place {
    int window = -1;  // index into `windows`; -1: `global`
    int index = 0;    // within the group
  };

  explicit LayerGroups(const KvLayout& layout);

  LayerGroup global;
  std::vector<LayerGroup> windows;
  std::vector<Place> places;  // by layer of the model
};

}  // namespace qvg

#endif  // CACHE_LAYER_GROUPS_H_
