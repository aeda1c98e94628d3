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
  TORCH_CHECK(world.reservation.memory() == kernels::MemoryKind::kHost,
              "dump-kv needs --device=cpu");
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

CachedPlayer::CachedPlayer(const Parameters& parameters, const Batch& episodes,
                           std::optional<GpuStream> gpu)
    : space_(gpu ? kernels::Executor(gpu->raw).memory()
                 : kernels::MemorySpace()),
      engine_(parameters, std::move(gpu)),
      episodes_(episodes) {}

absl::StatusOr<std::unique_ptr<CachedPlayer>> CachedPlayer::Create(
    const Parameters& parameters, const Batch& episodes, int steps,
    uint64_t seed, const CacheSpec& spec, const OpqTables* tables,
    std::optional<GpuStream> gpu) {
  const auto resolved = ResolveCacheSpec(spec, Layout(), tables);
  if (!resolved.ok()) return resolved.status();
  std::unique_ptr<CachedPlayer> player(
      new CachedPlayer(parameters, episodes, std::move(gpu)));
  const absl::Status status = player->AddWorlds(steps, seed, *resolved, tables);
  if (!status.ok()) return status;
  return player;
}

absl::Status CachedPlayer::AddWorlds(int steps, uint64_t seed,
                                     const CacheSpec& spec,
                                     const OpqTables* tables) {
  const KvLayout layout = Layout();
  const int64_t worlds = episodes_.poses.size(0);
  const int64_t chunks = episodes_.poses.size(1) / kFramesPerChunk;
  for (int64_t i = 0; i < worlds; ++i) {
    auto codec = MakeCodec(spec, layout, tables);
    if (!codec.ok()) return codec.status();
    const int64_t bytes =
        SessionState::MaxBytes(layout, spec, **codec, 0, chunks);
    if (pool_ == nullptr) {
      auto pool = MemoryPool::Create(bytes * worlds, space_);
      if (!pool.ok()) return pool.status();
      pool_ = *std::move(pool);
    }
    auto reservation = pool_->Reserve(bytes);
    if (!reservation.ok()) return reservation.status();
    auto state = SessionState::Create(layout, spec, *std::move(codec), 0,
                                      PrefixKey(), *std::move(reservation));
    if (!state.ok()) return state.status();
    (*state)->seed = seed + static_cast<uint64_t>(i);
    (*state)->steps = steps;
    worlds_.push_back(*std::move(state));
  }
  return absl::OkStatus();
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

std::vector<ChunkWork> CachedPlayer::Works() {
  std::vector<ChunkWork> works(worlds_.size());
  for (size_t i = 0; i < works.size(); ++i) {
    works[i].state = worlds_[i].get();
    works[i].motion = Motion(static_cast<int64_t>(i));
    works[i].key = worlds_[i]->prefix.Next("");
  }
  return works;
}

at::Tensor CachedPlayer::Sample() {
  std::vector<ChunkWork> works = Works();
  engine_.Sample(absl::MakeSpan(works));
  std::vector<at::Tensor> pictures;
  for (const ChunkWork& work : works) {
    TORCH_CHECK(work.status.ok(), work.status.message());
    pictures.push_back(work.tokens.to(at::kCPU));
  }
  return at::cat(pictures);
}

void CachedPlayer::Commit(const at::Tensor& tokens) {
  std::vector<ChunkWork> works = Works();
  for (size_t i = 0; i < works.size(); ++i) {
    works[i].tokens = tokens.narrow(0, static_cast<int64_t>(i), 1);
  }
  engine_.Commit(absl::MakeSpan(works));
  for (ChunkWork& work : works) {
    TORCH_CHECK(work.status.ok(), work.status.message());
    work.state->prefix = work.key;
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
