#ifndef SERVER_GENERATOR_TINYWORLD_TINYWORLD_MODEL_H_
#define SERVER_GENERATOR_TINYWORLD_TINYWORLD_MODEL_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cache/codec/opq_tables.h"
#include "cache/kv_layout.h"
#include "server/generator/registry.h"
#include "server/generator/video_model.h"

namespace qvg::tinyworld {

// The shape of TinyWorld's history: ten layers, every other one local.
KvLayout Layout();

// The codebooks that lie beside a weights file (WEIGHTS.opq.safetensors for
// WEIGHTS.safetensors), or null if there is no such file. DATA_LOSS for a
// damaged one.
absl::StatusOr<std::unique_ptr<OpqTables>> LoadCodebooks(
    const std::string& weights);

// TinyWorld on the CPU or a GPU; a ModelFactory. A session's first two chunks
// are what the simulator shows of the maze of its seed; the model makes the
// rest, at the poses of the simulator.
absl::StatusOr<std::unique_ptr<VideoModel>> MakeTinyWorld(
    const ModelOptions& options);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_TINYWORLD_MODEL_H_
