#ifndef SERVER_GENERATOR_FIT_CODEBOOKS_H_
#define SERVER_GENERATOR_FIT_CODEBOOKS_H_

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cache/codec/opq_fit.h"
#include "cache/codec/opq_tables.h"
#include "cache/kv_layout.h"
#include "kernels/parallel_for.h"
#include "server/generator/checkpoint/safetensors.h"

namespace qvg {

// Codebooks, and the layout that they are for: the layers of the dump are
// packed, those missing between them have a window. tokens_per_chunk is 0.
struct FittedCodebooks {
  std::unique_ptr<OpqTables> tables;
  KvLayout layout;
};

// Fits the codebooks of a model to a dump of its keys and values: tensors
// "layers.L.keys" and "layers.L.values" of the shape [vectors,heads,head_dim],
// BF16 or FP32, for every layer L that is packed. `progress` hears of each
// tensor before it is fitted. INVALID_ARGUMENT names what does not fit.
absl::StatusOr<FittedCodebooks> FitCodebooks(
    const Safetensors& dump, const OpqFitOptions& options,
    kernels::ParallelFor& parallel_for,
    absl::FunctionRef<void(absl::string_view)> progress);

}  // namespace qvg

#endif  // SERVER_GENERATOR_FIT_CODEBOOKS_H_
