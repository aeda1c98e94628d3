#include <c10/util/Exception.h>

#include "server/generator/tinyworld/ops_fused.h"

namespace qvg::tinyworld {

// The build without device code.

bool FusedOpsAvailable(const at::Tensor&) { return false; }

std::tuple<at::Tensor, at::Tensor> FusedResidualNorm(const at::Tensor&,
                                                     const at::Tensor&,
                                                     const at::Tensor&,
                                                     const at::Tensor&,
                                                     const at::Tensor&) {
  TORCH_CHECK(false, "built without device code");
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> FusedQueryKeyNorm(
    const at::Tensor&, const at::Tensor&, const at::Tensor&) {
  TORCH_CHECK(false, "built without device code");
}

void FusedMerge(const ChunkRange&, const at::Tensor&, const at::Tensor&,
                const at::Tensor&, const at::Tensor&) {
  TORCH_CHECK(false, "built without device code");
}

void FusedRender(const at::Tensor&, const at::Tensor&, const at::Tensor&) {
  TORCH_CHECK(false, "built without device code");
}

}  // namespace qvg::tinyworld
