#include "server/generator/tinyworld/maze.h"

#include <cmath>
#include <numbers>

#include "server/generator/tinyworld/random.h"

namespace qvg::tinyworld {
namespace {

constexpr double kWallShare = 0.22;
constexpr float kTurn = static_cast<float>(std::numbers::pi / 16);
constexpr float kStride = 0.18f;
constexpr float kRadius = 0.22f;  // of the collision box
constexpr float kCircle = static_cast<float>(2 * std::numbers::pi);

bool IsBorder(int x, int y) {
  return x == 0 || y == 0 || x == kMazeSize - 1 || y == kMazeSize - 1;
}

uint8_t RandomWall(Random& random) {
  return static_cast<uint8_t>(1 + random.Below(kWallColors) * kWallTextures +
                              random.Below(kWallTextures));
}

bool Collides(const Maze& maze, float x, float y) {
  return maze.IsWall(x - kRadius, y - kRadius) ||
         maze.IsWall(x + kRadius, y - kRadius) ||
         maze.IsWall(x - kRadius, y + kRadius) ||
         maze.IsWall(x + kRadius, y + kRadius);
}

Pose RandomStart(const Maze& maze, Random& random) {
  Pose pose;
  do {
    pose.x = 1.5f + static_cast<float>(random.Below(kMazeSize - 2));
    pose.y = 1.5f + static_cast<float>(random.Below(kMazeSize - 2));
  } while (maze.IsWall(pose.x, pose.y));
  pose.heading = static_cast<float>(random.Uniform()) * kCircle;
  return pose;
}

Pose Turn(Pose pose, float angle) {
  pose.heading += angle;
  if (pose.heading < 0) pose.heading += kCircle;
  if (pose.heading >= kCircle) pose.heading -= kCircle;
  return pose;
}

Pose Move(const Maze& maze, Pose pose, float distance) {
  const float x = pose.x + distance * std::cos(pose.heading);
  if (!Collides(maze, x, pose.y)) pose.x = x;
  const float y = pose.y + distance * std::sin(pose.heading);
  if (!Collides(maze, pose.x, y)) pose.y = y;
  return pose;
}

}  // namespace

Action Inverse(Action action) {
  switch (action) {
    case Action::kIdle:
      return Action::kIdle;
    case Action::kForward:
      return Action::kBack;
    case Action::kBack:
      return Action::kForward;
    case Action::kLeft:
      return Action::kRight;
    case Action::kRight:
      return Action::kLeft;
  }
  return Action::kIdle;
}

bool Maze::IsWall(float x, float y) const {
  const int column = static_cast<int>(std::floor(x));
  const int row = static_cast<int>(std::floor(y));
  if (column < 0 || row < 0 || column >= kMazeSize || row >= kMazeSize) {
    return true;
  }
  return cells[row * kMazeSize + column] != 0;
}

Maze MakeMaze(uint64_t seed) {
  Random random(seed);
  Maze maze;
  bool any_free = false;
  while (!any_free) {
    for (int y = 0; y < kMazeSize; ++y) {
      for (int x = 0; x < kMazeSize; ++x) {
        const bool wall = IsBorder(x, y) || random.Uniform() < kWallShare;
        maze.cells[y * kMazeSize + x] = wall ? RandomWall(random) : 0;
        any_free = any_free || !wall;
      }
    }
  }
  maze.start = RandomStart(maze, random);
  return maze;
}

Pose Step(const Maze& maze, const Pose& pose, Action action) {
  switch (action) {
    case Action::kIdle:
      return pose;
    case Action::kForward:
      return Move(maze, pose, kStride);
    case Action::kBack:
      return Move(maze, pose, -kStride);
    case Action::kLeft:
      return Turn(pose, -kTurn);
    case Action::kRight:
      return Turn(pose, kTurn);
  }
  return pose;
}

}  // namespace qvg::tinyworld
