#include "server/generator/tinyworld/batch.h"

#include <ATen/ATen.h>

#include <cstring>

#include "server/generator/tinyworld/ops_fused.h"
#include "server/generator/tinyworld/random.h"
#include "server/generator/tinyworld/render.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

constexpr int64_t kCells = int64_t{kMazeSize} * kMazeSize;
static_assert(sizeof(Pose) == 3 * sizeof(float));
static_assert(sizeof(Action) == sizeof(int32_t));

void RenderOnCpu(const Batch& batch, float* tokens) {
  const int64_t chunks = batch.poses.size(1) / kFramesPerChunk;
  const auto* poses =
      reinterpret_cast<const Pose*>(batch.poses.const_data_ptr<float>());
  for (int64_t b = 0; b < batch.poses.size(0); ++b) {
    Maze maze;
    std::memcpy(maze.cells.data(),
                batch.cells.const_data_ptr<uint8_t>() + b * kCells, kCells);
    for (int64_t c = 0; c < chunks; ++c) {
      const int64_t chunk = b * chunks + c;
      RenderChunk(maze, poses + chunk * kFramesPerChunk,
                  tokens + chunk * kChunkValues);
    }
  }
}

}  // namespace

Batch EmptyBatch(int count, int frames, const at::Device& device) {
  const auto options = at::TensorOptions().device(device);
  return {at::empty({count, kCells}, options.dtype(at::kByte)),
          at::empty({count, frames, 3}, options.dtype(at::kFloat)),
          at::empty({count, frames}, options.dtype(at::kInt))};
}

Batch ToBatch(const std::vector<Episode>& episodes) {
  const int frames = episodes.front().frames();
  const Batch batch =
      EmptyBatch(static_cast<int>(episodes.size()), frames, at::kCPU);
  auto* cells = batch.cells.mutable_data_ptr<uint8_t>();
  auto* poses = batch.poses.mutable_data_ptr<float>();
  auto* actions = batch.actions.mutable_data_ptr<int32_t>();
  for (const Episode& episode : episodes) {
    std::memcpy(cells, episode.maze.cells.data(), kCells);
    std::memcpy(poses, episode.poses.data(), frames * sizeof(Pose));
    std::memcpy(actions, episode.actions.data(), frames * sizeof(Action));
    cells += kCells;
    poses += int64_t{frames} * 3;
    actions += frames;
  }
  return batch;
}

Batch TrainingBatch(uint64_t seed, int count, int frames,
                    double there_and_back) {
  Random random(seed);
  std::vector<Episode> episodes;
  episodes.reserve(count);
  for (int i = 0; i < count; ++i) {
    episodes.push_back(TrainingEpisode(random.Next(), frames, there_and_back));
  }
  return ToBatch(episodes);
}

void CopyBatch(const Batch& from, const Batch& to) {
  to.cells.copy_(from.cells, /*non_blocking=*/true);
  to.poses.copy_(from.poses, /*non_blocking=*/true);
  to.actions.copy_(from.actions, /*non_blocking=*/true);
}

Batch Pinned(const Batch& batch) {
  return {batch.cells.pin_memory(), batch.poses.pin_memory(),
          batch.actions.pin_memory()};
}

at::Tensor RenderBatch(const Batch& batch) {
  const at::Tensor tokens =
      at::empty({batch.poses.size(0) * batch.poses.size(1) / kFramesPerChunk,
                 kTokens, kTokenValues},
                batch.poses.options());
  if (batch.poses.is_cuda()) {
    FusedRender(batch.cells, batch.poses, tokens);
  } else {
    RenderOnCpu(batch, tokens.mutable_data_ptr<float>());
  }
  return tokens;
}

}  // namespace qvg::tinyworld
