#ifndef SERVER_GENERATOR_TINYWORLD_CACHED_PLAYER_H_
#define SERVER_GENERATOR_TINYWORLD_CACHED_PLAYER_H_

#include <memory>
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

// Worlds one after the other on the CPU, each with a KvCache as a session has
// it. Throws c10::Error where a session would fail.
class CachedPlayer : public WorldPlayer {
 public:
  // Errors of ResolveCacheSpec. `tables` may be null and must outlive it.
  static absl::StatusOr<std::unique_ptr<CachedPlayer>> Create(
      const Parameters& parameters, const Batch& episodes, int steps,
      uint64_t seed, const CacheSpec& spec, const OpqTables* tables);

  at::Tensor Sample() override;
  void Commit(const at::Tensor& tokens) override;

  // Of the first world, so far.
  double packed_span_ratio() const;
  double session_ratio() const;

  // Writes the keys and values that the global layers hold, which must be
  // unpacked BF16, as tensors "layers.L.keys" and "layers.L.values" of shape
  // [tokens,heads,64]; worlds one after the other.
  absl::Status DumpKeysAndValues(const std::string& path) const;

 private:
  CachedPlayer(const Parameters& parameters, const Batch& episodes);

  ChunkMotion Motion(int64_t world) const;

  ChunkEngine engine_;
  Batch episodes_;
  std::unique_ptr<MemoryPool> pool_;
  std::vector<std::unique_ptr<SessionState>> worlds_;
};

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_CACHED_PLAYER_H_
