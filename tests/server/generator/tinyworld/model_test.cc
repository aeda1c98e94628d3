#include "server/generator/tinyworld/model.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "server/generator/tinyworld/batch.h"
#include "server/generator/tinyworld/block_attention.h"
#include "server/generator/tinyworld/raycaster.h"
#include "server/generator/tinyworld/sampler.h"
#include "server/generator/tinyworld/shape.h"
#include "server/generator/tinyworld/world_player.h"
#include "tests/server/generator/tinyworld/nonzero_parameters.h"

namespace qvg::tinyworld {
namespace {

at::Tensor OwnAttention(int, const at::Tensor&, const at::Tensor&,
                        const at::Tensor& v) {
  return v;
}

TEST(ParametersTest, AreAsManyAsTheRecipeHas) {
  int64_t count = 0;
  for (const ParameterInfo& info : ParameterTable()) {
    const Parameters p = InitialParameters(1);
    ASSERT_EQ((p.*info.tensor).sizes(), info.shape) << info.name;
    count += (p.*info.tensor).numel();
  }
  EXPECT_NEAR(count, 9.24e6, 0.02e6);
}

TEST(ParametersTest, InitialOnesArePureInTheSeed) {
  EXPECT_TRUE(InitialParameters(4).mlp_up.equal(InitialParameters(4).mlp_up));
  EXPECT_FALSE(InitialParameters(4).mlp_up.equal(InitialParameters(5).mlp_up));
}

TEST(ParametersTest, TokenTypeLeavesTheRestInFp32) {
  const Parameters p = WithTokenType(InitialParameters(1), at::kBFloat16);
  EXPECT_EQ(p.query_key_value.scalar_type(), at::kBFloat16);
  EXPECT_EQ(p.level_in.scalar_type(), at::kFloat);
}

TEST(RayFeaturesTest, FollowTheFormula) {
  const at::Tensor poses = at::tensor({1.5f, 2.5f, 0.7f, 3.0f, 4.0f, 1.0f, 5.0f,
                                       6.0f, 2.0f, 7.0f, 8.0f, 3.0f})
                               .view({1, 4, 3});
  const at::Tensor rays = RayFeatures(poses);
  ASSERT_EQ(rays.sizes(), at::IntArrayRef({1, kRayPlaces, 2 * kRayValues}));
  // Frame 3 is the second frame of pair 1; take patch column 6.
  const float* f = rays.const_data_ptr<float>() +
                   (kPatches + 6) * 2 * kRayValues + kRayValues;
  const double offset = (2 * (6 * 16 + 7.5) / 127 - 1) * kPlane;
  const double phi = 3.0 + std::atan(offset);
  const double moment = 7 * std::sin(phi) - 8 * std::cos(phi);
  const double unit = std::numbers::pi / 8;
  for (int k = 0; k < 4; ++k) {
    const double scale = 1 << k;
    EXPECT_NEAR(f[k], std::cos(scale * phi), 1e-4);
    EXPECT_NEAR(f[4 + k], std::sin(scale * phi), 1e-4);
    EXPECT_NEAR(f[8 + k], std::sin(scale * unit * 7), 1e-4);
    EXPECT_NEAR(f[12 + k], std::sin(scale * unit * 8), 1e-4);
    EXPECT_NEAR(f[16 + k], std::sin(scale * unit * moment), 1e-4);
    EXPECT_NEAR(f[28 + k], std::cos(scale * unit * moment), 1e-4);
  }
}

TEST(PredictTest, AnUntrainedModelPredictsGrey) {
  const Parameters p = InitialParameters(1);
  const Batch batch = TrainingBatch(1, 1, 20, 0.2);
  const Conditions conditions = MakeConditions(p, batch.poses.view({-1, 4, 3}),
                                               batch.actions.view({-1, 4}));
  const at::Tensor out =
      Predict(p, conditions, at::randn({5, 1, kTokens, kTokenValues}),
              at::rand({5, 1}), OwnAttention);
  EXPECT_EQ(out.abs().max().item<float>(), 0);
}

TEST(PredictTest, ChunksAndCopiesDoNotMeetOutsideAttention) {
  const Parameters p = NonzeroParameters();
  const Batch batch = TrainingBatch(1, 1, 20, 0.2);
  const at::Tensor poses = batch.poses.view({-1, 4, 3}).narrow(0, 0, 2);
  const at::Tensor actions = batch.actions.view({-1, 4}).narrow(0, 0, 2);
  const at::Tensor tokens = at::randn({2, 2, kTokens, kTokenValues});
  const at::Tensor levels = at::rand({2, 2});
  const at::Tensor together = Predict(p, MakeConditions(p, poses, actions),
                                      tokens, levels, OwnAttention);
  for (int chunk = 0; chunk < 2; ++chunk) {
    for (int copy = 0; copy < 2; ++copy) {
      const Conditions conditions = MakeConditions(p, poses.narrow(0, chunk, 1),
                                                   actions.narrow(0, chunk, 1));
      const at::Tensor alone =
          Predict(p, conditions, tokens.narrow(0, chunk, 1).narrow(1, copy, 1),
                  levels.narrow(0, chunk, 1).narrow(1, copy, 1), OwnAttention);
      EXPECT_TRUE(alone[0][0].allclose(together[chunk][copy], 1e-3, 1e-4));
    }
  }
}

TEST(PredictTest, ActionsAndPosesMatter) {
  const Parameters p = NonzeroParameters();
  const at::Tensor poses = at::rand({1, 4, 3});
  const at::Tensor actions = at::zeros({1, 4}, at::kInt);
  const at::Tensor tokens = at::randn({1, 1, kTokens, kTokenValues});
  const auto predict = [&](const at::Tensor& at_poses,
                           const at::Tensor& under_actions) {
    return Predict(p, MakeConditions(p, at_poses, under_actions), tokens,
                   at::full({1, 1}, 0.5), OwnAttention);
  };
  const at::Tensor base = predict(poses, actions);
  EXPECT_FALSE(base.allclose(predict(poses + 0.3, actions)));
  EXPECT_FALSE(base.allclose(predict(poses, actions + 1)));
}

// Training sees a sequence at once, generation chunk by chunk: the same clean
// history must give the same prediction.
TEST(PredictTest, TrainingAndGenerationAgree) {
  const Parameters p = NonzeroParameters();
  constexpr int kChunks = 6;  // longer than the local window
  const Batch batch = TrainingBatch(2, 1, kChunks * kFramesPerChunk, 0.2);
  const at::Tensor truth = RenderBatch(batch);
  at::manual_seed(11);
  const at::Tensor noise = at::randn({1, kTokens, kTokenValues});
  const at::Tensor noised = at::cat({truth.narrow(0, 0, kChunks - 1), noise});
  const auto attention = [](int block, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v) {
    return BlockAttention(q, k, v, 1, WindowChunks(block));
  };
  const auto level = SamplingLevels(2);
  const at::Tensor levels =
      at::stack({at::zeros({kChunks}), at::full({kChunks}, level[0])}, 1);
  const at::Tensor trained =
      Predict(p,
              MakeConditions(p, batch.poses.view({-1, 4, 3}),
                             batch.actions.view({-1, 4})),
              at::stack({truth, noised}, 1), levels, attention)[kChunks - 1][1];

  // Two steps: the second starts from what the first must have been.
  const auto player = DensePlayer(p, batch, 2, 11, 0);
  for (int i = 0; i + 1 < kChunks; ++i) player->Commit(truth.narrow(0, i, 1));
  const at::Tensor played = player->Sample();
  at::manual_seed(11);
  const at::Tensor first = at::randn_like(noise);
  const at::Tensor second = at::randn_like(noise);
  ASSERT_TRUE(first.equal(noise));
  const at::Tensor x =
      trained.unsqueeze(0).clamp(-1, 1) * (1 - level[1]) + second * level[1];
  const at::Tensor expected = Predict(
      p,
      MakeConditions(p, batch.poses.view({-1, 4, 3}),
                     batch.actions.view({-1, 4})),
      at::stack({truth, at::cat({truth.narrow(0, 0, kChunks - 1), x})}, 1),
      at::stack({at::zeros({kChunks}), at::full({kChunks}, level[1])}, 1),
      attention)[kChunks - 1][1];
  EXPECT_TRUE(played[0].allclose(expected.clamp(-1, 1), 1e-3, 1e-3));
}

}  // namespace
}  // namespace qvg::tinyworld
