#include "server/generator/registry.h"
#ifdef QVG_WITH_TORCH
#include "server/generator/tinyworld/tinyworld_model.h"
#endif

namespace qvg {

ModelRegistry BuiltInModels() {
  ModelRegistry registry;
#ifdef QVG_WITH_TORCH
  registry.Add("tinyworld", tinyworld::MakeTinyWorld);
#endif
  return registry;
}

}  // namespace qvg
