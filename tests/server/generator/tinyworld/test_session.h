#ifndef TESTS_SERVER_GENERATOR_TINYWORLD_TEST_SESSION_H_
#define TESTS_SERVER_GENERATOR_TINYWORLD_TEST_SESSION_H_

#include <memory>
#include <string>

#include "cache/codec/registry.h"
#include "cache/session_state.h"
#include "server/generator/tinyworld/chunk_engine.h"
#include "server/generator/tinyworld/episode.h"
#include "server/generator/tinyworld/tinyworld_model.h"

namespace qvg::tinyworld {

// The state of a session before its first chunk, in a pool of its own in
// `space` that has room for `chunks` chunks.
class TestSession {
 public:
  // `spec` as ParseCacheSpec reads it; `tables` must outlive this.
  TestSession(const std::string& spec, int64_t chunks,
              const OpqTables* tables = nullptr,
              const kernels::MemorySpace& space = {}) {
    const CacheSpec resolved =
        *ResolveCacheSpec(*ParseCacheSpec(spec), Layout(), tables);
    auto codec = *MakeCodec(resolved, Layout(), tables);
    const int64_t bytes =
        SessionState::MaxBytes(Layout(), resolved, *codec, 0, chunks);
    pool_ = *MemoryPool::Create(bytes, space);
    state_ = *SessionState::Create(Layout(), resolved, std::move(codec), 0,
                                   PrefixKey::Root("test", spec, 1, 2, ""),
                                   *pool_->Reserve(bytes));
    state_->seed = 1;
    state_->steps = 2;
  }

  SessionState& state() { return *state_; }
  const KvCache& cache() const { return *state_->cache; }

 private:
  std::unique_ptr<MemoryPool> pool_;
  std::unique_ptr<SessionState> state_;
};

// What the camera does in chunk `chunk` of `episode`.
inline ChunkMotion MotionOf(const Episode& episode, int64_t chunk) {
  ChunkMotion motion;
  for (int i = 0; i < kFramesPerChunk; ++i) {
    const int64_t frame = chunk * kFramesPerChunk + i;
    motion.poses[i] = episode.poses[frame];
    motion.actions[i] = episode.actions[frame];
  }
  return motion;
}

}  // namespace qvg::tinyworld

#endif  // TESTS_SERVER_GENERATOR_TINYWORLD_TEST_SESSION_H_
