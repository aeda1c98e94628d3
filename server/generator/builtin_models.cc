#include "server/generator/registry.h"

namespace qvg {

ModelRegistry BuiltInModels() {
  ModelRegistry registry;
  return registry;
}

}  // namespace qvg
