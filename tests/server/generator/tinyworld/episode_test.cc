#include "server/generator/tinyworld/episode.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>

namespace qvg::tinyworld {
namespace {

bool SamePose(const Pose& a, const Pose& b) {
  return a.x == b.x && a.y == b.y && a.heading == b.heading;
}

TEST(MazeTest, IsPureInItsSeed) {
  EXPECT_EQ(MakeMaze(5).cells, MakeMaze(5).cells);
  EXPECT_NE(MakeMaze(5).cells, MakeMaze(6).cells);
}

TEST(MazeTest, HasABorderAndAFreeStart) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Maze maze = MakeMaze(seed);
    for (int i = 0; i < kMazeSize; ++i) {
      EXPECT_NE(maze.cells[i], 0);
      EXPECT_NE(maze.cells[i * kMazeSize], 0);
      EXPECT_NE(maze.cells[i * kMazeSize + kMazeSize - 1], 0);
      EXPECT_NE(maze.cells[(kMazeSize - 1) * kMazeSize + i], 0);
    }
    EXPECT_FALSE(maze.IsWall(maze.start.x, maze.start.y));
  }
}

TEST(MazeTest, WallShareAndKindsAreAsDrawn) {
  int walls = 0;
  std::array<int, 13> kinds{};
  constexpr int kMazes = 300;
  for (uint64_t seed = 0; seed < kMazes; ++seed) {
    const Maze maze = MakeMaze(seed);
    for (int y = 1; y < kMazeSize - 1; ++y) {
      for (int x = 1; x < kMazeSize - 1; ++x) {
        const uint8_t cell = maze.cells[y * kMazeSize + x];
        ASSERT_LE(cell, kWallColors * kWallTextures);
        walls += cell != 0;
        ++kinds[cell];
      }
    }
  }
  EXPECT_NEAR(walls / (100.0 * kMazes), 0.22, 0.02);
  for (int kind = 1; kind <= 12; ++kind) EXPECT_GT(kinds[kind], 300);
}

TEST(StepTest, ARevolutionTakes32Turns) {
  const Maze maze = MakeMaze(1);
  Pose pose = maze.start;
  for (int i = 0; i < 32; ++i) pose = Step(maze, pose, Action::kLeft);
  EXPECT_NEAR(std::cos(pose.heading - maze.start.heading), 1, 1e-6);
}

TEST(StepTest, NeverEntersAWall) {
  Random random(7);
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Maze maze = MakeMaze(seed);
    Pose pose = maze.start;
    for (int i = 0; i < 500; ++i) {
      pose = Step(maze, pose, static_cast<Action>(random.Below(kActions)));
      ASSERT_FALSE(maze.IsWall(pose.x - 0.21f, pose.y - 0.21f));
      ASSERT_FALSE(maze.IsWall(pose.x + 0.21f, pose.y + 0.21f));
    }
  }
}

TEST(StepTest, InverseUndoesAFreeMove) {
  Maze maze = MakeMaze(2);
  maze.cells.fill(0);
  const Pose start{6, 6, 1};
  for (int a = 0; a < kActions; ++a) {
    const auto action = static_cast<Action>(a);
    const Pose back = Step(maze, Step(maze, start, action), Inverse(action));
    EXPECT_NEAR(back.x, start.x, 1e-5);
    EXPECT_NEAR(back.y, start.y, 1e-5);
    EXPECT_NEAR(back.heading, start.heading, 1e-5);
  }
}

TEST(ThereAndBackTest, ReturnsAlongTheSamePoses) {
  Random random(3);
  const Episode walk = Play(MakeMaze(4), WalkActions(152, random));
  const Episode both = ThereAndBack(walk, 152, 304);
  ASSERT_EQ(both.frames(), 304);
  EXPECT_EQ(both.actions[152], Action::kIdle);
  for (int t = 153; t < 304; ++t) {
    EXPECT_TRUE(SamePose(both.poses[t], both.poses[303 - t])) << t;
    EXPECT_EQ(both.actions[t], Inverse(both.actions[304 - t])) << t;
  }
}

TEST(ThereAndBackTest, GoesForwardsAgain) {
  Random random(3);
  const Episode walk = Play(MakeMaze(4), WalkActions(20, random));
  const Episode laps = ThereAndBack(walk, 10, 30);
  for (int t = 0; t < 10; ++t) {
    EXPECT_TRUE(SamePose(laps.poses[t], laps.poses[20 + t]));
  }
  EXPECT_EQ(laps.actions[20], Action::kIdle);
  EXPECT_EQ(laps.actions[25], walk.actions[5]);
}

TEST(TrainingEpisodeTest, IsPureInItsSeedAndFullLength) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Episode a = TrainingEpisode(seed, 48, 0.2);
    const Episode b = TrainingEpisode(seed, 48, 0.2);
    ASSERT_EQ(a.frames(), 48);
    ASSERT_EQ(a.actions, b.actions);
    ASSERT_TRUE(SamePose(a.poses.back(), b.poses.back()));
  }
}

TEST(TrainingEpisodeTest, MixesItsKinds) {
  constexpr int kEpisodes = 2000;
  int turning = 0;
  for (uint64_t seed = 0; seed < kEpisodes; ++seed) {
    const Episode e = TrainingEpisode(seed, 48, 0.2);
    bool moves = false;
    for (const Action a : e.actions) {
      moves = moves || a == Action::kForward || a == Action::kBack;
    }
    turning += !moves;
  }
  EXPECT_NEAR(turning / double{kEpisodes}, 0.25, 0.04);
}

TEST(TrainingEpisodeTest, GoesThereAndBackAsOftenAsAsked) {
  constexpr int kEpisodes = 2000;
  int changed = 0;  // against the plain walk of the same seed
  for (uint64_t seed = 0; seed < kEpisodes; ++seed) {
    changed += TrainingEpisode(seed, 48, 0).actions !=
               TrainingEpisode(seed, 48, 0.4).actions;
  }
  EXPECT_NEAR(changed / double{kEpisodes}, 0.4, 0.04);
}

}  // namespace
}  // namespace qvg::tinyworld
