#include <c10/util/Exception.h>

#include "server/generator/tinyworld/captured_step.h"

namespace qvg::tinyworld {

std::unique_ptr<CapturedStep> Capture(const std::function<void()>&,
                                      const CapturedStep*) {
  TORCH_CHECK(false, "built without device code");
}

}  // namespace qvg::tinyworld
