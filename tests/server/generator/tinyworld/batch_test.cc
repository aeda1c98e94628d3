#include "server/generator/tinyworld/batch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "server/generator/tinyworld/render.h"
#include "server/generator/tinyworld/shape.h"
#include "tests/server/generator/tinyworld/torch_device.h"

namespace qvg::tinyworld {
namespace {

TEST(BatchTest, HoldsEveryEpisode) {
  const std::vector<Episode> episodes = {TrainingEpisode(1, 24, 0.2),
                                         TrainingEpisode(2, 24, 0.2)};
  const Batch batch = ToBatch(episodes);
  EXPECT_EQ(batch.cells[1][0].item<int>(), episodes[1].maze.cells[0]);
  EXPECT_EQ(batch.poses[1][23][0].item<float>(), episodes[1].poses[23].x);
  EXPECT_EQ(batch.poses[0][7][2].item<float>(), episodes[0].poses[7].heading);
  EXPECT_EQ(batch.actions[1][5].item<int>(),
            static_cast<int>(episodes[1].actions[5]));
}

TEST(BatchTest, TrainingBatchesArePureInTheSeed) {
  EXPECT_TRUE(TrainingBatch(3, 2, 24, 0.2)
                  .poses.equal(TrainingBatch(3, 2, 24, 0.2).poses));
  EXPECT_FALSE(TrainingBatch(3, 2, 24, 0.2)
                   .poses.equal(TrainingBatch(4, 2, 24, 0.2).poses));
}

TEST(BatchTest, RendersLikeTheSingleChunkRenderer) {
  const at::Device device = TestDevice().device;
  const std::vector<Episode> episodes = {TrainingEpisode(1, 24, 0.2),
                                         TrainingEpisode(2, 24, 0.2)};
  const Batch host = ToBatch(episodes);
  const Batch batch = EmptyBatch(2, 24, device);
  CopyBatch(host, batch);
  const at::Tensor tokens = RenderBatch(batch).to(at::kCPU);
  const at::Tensor expected = at::empty({kTokens, kTokenValues});
  RenderChunk(episodes[1].maze, &episodes[1].poses[20],
              expected.mutable_data_ptr<float>());
  // Host and device may round a ray to the other side of an edge.
  const at::Tensor different = (tokens[6 + 5] - expected).abs() > 1e-3;
  EXPECT_LT(different.to(at::kFloat).mean().item<double>(),
            batch.poses.is_cuda() ? 1e-3 : 1e-9);
}

}  // namespace
}  // namespace qvg::tinyworld
