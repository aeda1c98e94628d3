#ifndef SERVER_GENERATOR_TINYWORLD_MAZE_H_
#define SERVER_GENERATOR_TINYWORLD_MAZE_H_

#include <array>
#include <cstdint>

namespace qvg::tinyworld {

inline constexpr int kMazeSize = 12;  // cells, both ways
inline constexpr int kWallColors = 6;
inline constexpr int kWallTextures = 2;  // stripes, checker

// Where the camera is: cells, and radians growing to the right.
struct Pose {
  float x = 0;
  float y = 0;
  float heading = 0;
};

enum class Action : int32_t { kIdle, kForward, kBack, kLeft, kRight };
inline constexpr int kActions = 5;

// The action that undoes `action` where nothing blocks the way.
Action Inverse(Action action);

// A grid of free cells and coloured walls, border walls all around.
// cells[y * kMazeSize + x] is 0 if free, else 1 + colour * 2 + texture.
struct Maze {
  std::array<uint8_t, kMazeSize * kMazeSize> cells{};
  Pose start;

  bool IsWall(float x, float y) const;
};

// The maze of `seed`, its start in the middle of a free cell.
Maze MakeMaze(uint64_t seed);

// The pose one frame later. Moves are blocked by walls, x before y.
Pose Step(const Maze& maze, const Pose& pose, Action action);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_MAZE_H_
