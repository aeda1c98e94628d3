#ifndef SERVER_GENERATOR_TINYWORLD_CACHED_PLAYER_H_
#define SERVER_GENERATOR_TINYWORLD_CACHED_PLAYER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/cache_spec.h"
#include "cache/codec/opq_tables.h"
#include "cache/session_state.h"
#include "server/generator/tinyworld/batch.h"
#include "server/generator/tinyworld/chunk_engine.h"
#include "server/generator/tinyworld/world_player.h"

namespace qvg::tinyworld {

// Worlds with a KvCache each, as sessions have it, advanced as a server does:
// on the CPU one after the other, on a GPU many in a pass. Pictures come and go
// on the CPU. Throws c10::Error where a session would fail.
class CachedPlayer : public WorldPlayer {
 public:
  // Errors of ResolveCacheSpec, and of a GPU without room. `episodes` and
  // `parameters` are on the CPU. `tables`, of the memory that it computes in,
  // may be null and must outlive it.
  static absl::StatusOr<std::unique_ptr<CachedPlayer>> Create(
      const Parameters& parameters, const Batch& episodes, int steps,
      uint64_t seed, const CacheSpec& spec, const OpqTables* tables,
      std::optional<GpuStream> gpu = std::nullopt);

  at::Tensor Sample() override;
  void Commit(const at::Tensor& tokens) override;

  // Of the first world, so far.
  double packed_span_ratio() const;
  double session_ratio() const;

  // Writes the keys and values that the global layers hold, which must be
  // unpacked BF16 on the CPU, as tensors "layers.L.keys" and "layers.L.values"
  // of shape [tokens,heads,64]; worlds one after the other.
  absl::Status DumpKeysAndValues(const std::string& path) const;

 private:
  CachedPlayer(const Parameters& parameters, const Batch& episodes,
               std::optional<GpuStream> gpu);

  absl::Status AddWorlds(int steps, uint64_t seed, const CacheSpec& spec,
                         const OpqTables* tables);
  ChunkMotion Motion(int64_t world) const;
  std::vector<ChunkWork> Works();

  kernels::MemorySpace space_;
  ChunkEngine engine_;
  Batch episodes_;
  std::unique_ptr<MemoryPool> pool_;
  std::vector<std::unique_ptr<SessionState>> worlds_;
};

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_CACHED_PLAYER_H_
