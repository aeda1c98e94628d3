#include "server/generator/tinyworld/render.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "server/generator/tinyworld/raycaster.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

// An empty room: cell (x,y) is free unless on the border, whose walls are
// striped (texture 0) of colour `color`.
Maze Room(int color) {
  Maze maze;
  for (int y = 0; y < kMazeSize; ++y) {
    for (int x = 0; x < kMazeSize; ++x) {
      const bool border =
          x == 0 || y == 0 || x == kMazeSize - 1 || y == kMazeSize - 1;
      maze.cells[y * kMazeSize + x] =
          border ? static_cast<uint8_t>(1 + color * kWallTextures) : 0;
    }
  }
  return maze;
}

std::vector<float> Render(const Maze& maze, const Pose& pose) {
  const std::array<Pose, kFramesPerChunk> poses = {pose, pose, pose, pose};
  std::vector<float> tokens(kChunkValues, 9.0f);
  RenderChunk(maze, poses.data(), tokens.data());
  return tokens;
}

TEST(TokenOffsetTest, IsAPermutationOfPixels) {
  std::set<int> offsets;
  for (int frame = 0; frame < kFramesPerChunk; ++frame) {
    for (int y = 0; y < kFrameSize; ++y) {
      for (int x = 0; x < kFrameSize; ++x) {
        offsets.insert(TokenOffset(frame, y, x));
      }
    }
  }
  EXPECT_EQ(offsets.size(), kChunkValues / 3);
  EXPECT_EQ(*offsets.rbegin(), kChunkValues - 3);
}

TEST(TokenOffsetTest, NeighboursInAPatchShareAToken) {
  EXPECT_EQ(TokenOffset(0, 0, 1) - TokenOffset(0, 0, 0), 3);
  EXPECT_EQ(TokenOffset(1, 0, 0) - TokenOffset(0, 0, 0), 16 * 16 * 3);
  EXPECT_EQ(TokenOffset(0, 0, 16), kTokenValues);
  EXPECT_EQ(TokenOffset(0, 16, 0), kPatches * kTokenValues);
  EXPECT_EQ(TokenOffset(2, 0, 0), kPatches * kPatches * kTokenValues);
}

TEST(CastColumnTest, MeasuresThePerpendicularDistance) {
  const Maze maze = Room(0);
  const Pose pose{5.5f, 5.5f, 0};
  for (const float offset : {-0.7f, 0.0f, 0.7f}) {
    const Column column = CastColumn(maze.cells.data(), pose, offset);
    EXPECT_NEAR(column.height, 0.9f / 5.5f, 1e-5f);
    EXPECT_NEAR(column.light, 1 / (1 + 0.12f * 5.5f), 1e-5f);
    EXPECT_NEAR(column.u, std::fmod(5.5f + 5.5f * offset, 1.0f), 1e-4f);
  }
}

TEST(CastColumnTest, ShadesFacesAcrossYDarker) {
  const Maze maze = Room(0);
  const float along_x = CastColumn(maze.cells.data(), {5.5f, 5.5f, 0}, 0).light;
  const float along_y =
      CastColumn(maze.cells.data(), {5.5f, 5.5f, 1.5707963f}, 0).light;
  EXPECT_NEAR(along_y, 0.75f * along_x, 1e-5f);
}

TEST(CastColumnTest, RightOfThePictureIsWhereTurningRightLooks) {
  Maze maze = Room(0);
  maze.cells[8 * kMazeSize + 8] = 1 + 3 * kWallTextures;
  const Pose pose{5.5f, 5.5f, 0};
  EXPECT_EQ(CastColumn(maze.cells.data(), pose, 0.74f).wall,
            1 + 3 * kWallTextures);
  const Pose turned = Step(maze, pose, Action::kRight);
  EXPECT_GT(turned.heading, pose.heading);
  // The wall at 45 degrees to the right comes to the middle after 4 turns.
  Pose right = pose;
  for (int i = 0; i < 4; ++i) right = Step(maze, right, Action::kRight);
  EXPECT_EQ(CastColumn(maze.cells.data(), right, 0).wall,
            1 + 3 * kWallTextures);
}

TEST(RenderChunkTest, WritesEveryValueInRange) {
  for (const float value : Render(Room(1), {3.3f, 4.4f, 2})) {
    ASSERT_GE(value, -1.0f);
    ASSERT_LE(value, 1.0f);
  }
}

TEST(RenderChunkTest, CeilingIsAboveAndFloorBelow) {
  const std::vector<float> tokens = Render(Room(0), {5.5f, 5.5f, 0});
  const float* top = &tokens[TokenOffset(0, 0, 64)];
  EXPECT_GT(top[2], top[0]);  // blueish
  const float* bottom = &tokens[TokenOffset(0, kFrameSize - 1, 64)];
  EXPECT_GT(bottom[0], bottom[2]);  // brownish
}

TEST(RenderChunkTest, MiddleShowsTheWallsColour) {
  const std::vector<float> tokens = Render(Room(1), {5.5f, 5.5f, 0});
  const float* pixel = &tokens[TokenOffset(3, 64, 64)];
  EXPECT_GT(pixel[1], pixel[0]);
  EXPECT_GT(pixel[1], pixel[2]);
}

TEST(RenderChunkTest, NoseToTheWallIsSafe) {
  Render(Room(0), {1.22f, 1.22f, 3.9f});
  Render(Room(0), {1.0f, 1.0f, 0});
}

}  // namespace
}  // namespace qvg::tinyworld
