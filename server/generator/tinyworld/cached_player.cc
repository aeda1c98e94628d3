#include "server/generator/tinyworld/cached_player.h"

#include <ATen/ATen.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/codec/registry.h"
#include "server/generator/checkpoint/safetensors.h"
#include "server/generator/tinyworld/shape.h"
#include "server/generator/tinyworld/tinyworld_model.h"

namespace qvg::tinyworld {
namespace {

// The rows of all segments, copied one after the other: [tokens,heads,64].
void AppendRows(const SessionState& world, int layer, bool keys,
                std::vector<uint8_t>* rows) {
  std::vector<kernels::KvSegment> segments;
  world.cache->AppendSegments(layer, &segments);
  constexpr int64_t kRowBytes = kHeadDim * 2;
  for (const kernels::KvSegment& segment : segments) {
    const kernels::PackedTensor& t = keys ? segment.keys : segment.values;
    TORCH_CHECK(t.codec.encoding == kernels::Encoding::kBf16,
                "dump-kv needs --codec=bf16");
    const auto* values = static_cast<const uint8_t*>(t.values);
    for (int64_t i = 0; i < t.tokens * kHeads; ++i) {
      const uint8_t* row = values + 2 * (i / kHeads * t.token_stride +
                                         i % kHeads * t.head_stride);
      rows->insert(rows->end(), row, row + kRowBytes);
    }
  }
}

}  // namespace

CachedPlayer::CachedPlayer(const Parameters& parameters, const Batch& episodes)
    : engine_(parameters), episodes_(episodes) {}

absl::StatusOr<std::unique_ptr<CachedPlayer>> CachedPlayer::Create(
    const Parameters& parameters, const Batch& episodes, int steps,
    uint64_t seed, const CacheSpec& spec, const OpqTables* tables) {
  const KvLayout layout = Layout();
  const auto resolved = ResolveCacheSpec(spec, layout, tables);
  if (!resolved.ok()) return resolved.status();
  std::unique_ptr<CachedPlayer> player(new CachedPlayer(parameters, episodes));
  const int64_t worlds = episodes.poses.size(0);
  const int64_t chunks = episodes.poses.size(1) / kFramesPerChunk;
  for (int64_t i = 0; i < worlds; ++i) {
    auto codec = MakeCodec(*resolved, layout, tables);
    if (!codec.ok()) return codec.status();
    const int64_t bytes =
        SessionState::MaxBytes(layout, *resolved, **codec, 0, chunks);
    if (player->pool_ == nullptr) {
      auto pool = MemoryPool::Create(bytes * worlds);
      if (!pool.ok()) return pool.status();
      player->pool_ = *std::move(pool);
    }
    auto reservation = player->pool_->Reserve(bytes);
    if (!reservation.ok()) return reservation.status();
    auto state = SessionState::Create(layout, *resolved, *std::move(codec), 0,
                                      PrefixKey(), *std::move(reservation));
    if (!state.ok()) return state.status();
    (*state)->seed = seed + static_cast<uint64_t>(i);
    (*state)->steps = steps;
    player->worlds_.push_back(*std::move(state));
  }
  return player;
}

ChunkMotion CachedPlayer::Motion(int64_t world) const {
  const int64_t first = worlds_[world]->chunks() * kFramesPerChunk;
  const int64_t frame = world * episodes_.poses.size(1) + first;
  ChunkMotion motion;
  const float* pose = episodes_.poses.const_data_ptr<float>() + frame * 3;
  const int32_t* action = episodes_.actions.const_data_ptr<int32_t>() + frame;
  for (int i = 0; i < kFramesPerChunk; ++i, pose += 3) {
    motion.poses[i] = {pose[0], pose[1], pose[2]};
    motion.actions[i] = static_cast<Action>(action[i]);
  }
  return motion;
}

at::Tensor CachedPlayer::Sample() {
  std::vector<at::Tensor> pictures;
  for (size_t i = 0; i < worlds_.size(); ++i) {
    const auto tokens =
        engine_.Sample(*worlds_[i], Motion(i), /*cancelled=*/nullptr);
    TORCH_CHECK(tokens.ok(), tokens.status().message());
    pictures.push_back(*tokens);
  }
  return at::cat(pictures);
}

void CachedPlayer::Commit(const at::Tensor& tokens) {
  for (size_t i = 0; i < worlds_.size(); ++i) {
    SessionState& world = *worlds_[i];
    StageSeconds stages;
    const PrefixKey key = world.prefix.Next("");
    const absl::Status status = engine_.Commit(
        world, Motion(i),
        tokens.narrow(0, static_cast<int64_t>(i), 1).contiguous(), key,
        &stages);
    TORCH_CHECK(status.ok(), status.message());
    world.prefix = key;
  }
}

double CachedPlayer::packed_span_ratio() const {
  return worlds_.front()->cache->bytes().packed_span_ratio();
}

double CachedPlayer::session_ratio() const {
  return worlds_.front()->session_ratio();
}

absl::Status CachedPlayer::DumpKeysAndValues(const std::string& path) const {
  std::vector<std::vector<uint8_t>> buffers;
  std::vector<StoredTensor> tensors;
  for (int layer = 0; layer < kBlocks; ++layer) {
    if (WindowChunks(layer) > 0) continue;
    for (const bool keys : {true, false}) {
      std::vector<uint8_t> rows;
      for (const auto& world : worlds_) AppendRows(*world, layer, keys, &rows);
      StoredTensor tensor;
      tensor.name = absl::StrCat("layers.", layer, keys ? ".keys" : ".values");
      tensor.dtype = Dtype::kBf16;
      tensor.shape = {static_cast<int64_t>(rows.size()) / (kWidth * 2), kHeads,
                      kHeadDim};
      buffers.push_back(std::move(rows));
      tensor.bytes = buffers.back();
      tensors.push_back(std::move(tensor));
    }
  }
  return WriteSafetensors(path, tensors);
}

}  // namespace qvg::tinyworld
