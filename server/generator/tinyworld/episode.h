#ifndef SERVER_GENERATOR_TINYWORLD_EPISODE_H_
#define SERVER_GENERATOR_TINYWORLD_EPISODE_H_

#include <cstdint>
#include <vector>

#include "server/generator/tinyworld/maze.h"
#include "server/generator/tinyworld/random.h"

namespace qvg::tinyworld {

// A maze and a way through it: poses[t] is the camera at frame t, which
// actions[t] led to from the pose before (frame 0: from the start).
struct Episode {
  Maze maze;
  std::vector<Action> actions;
  std::vector<Pose> poses;

  int frames() const { return static_cast<int>(poses.size()); }
};

// Aimless walking: keeps an action with probability .85, else draws again.
std::vector<Action> WalkActions(int frames, Random& random);

// Turning on the spot: a third of the draws turn one way all the time.
std::vector<Action> TurningActions(int frames, Random& random);

// Runs `actions` from the maze's start.
Episode Play(const Maze& maze, std::vector<Action> actions);

// The first `out` frames of `episode`, then the same poses backwards under
// the inverse actions, then forwards again, and so on for `frames` frames. At
// each turn the pose stays for one idle frame.
Episode ThereAndBack(const Episode& episode, int out, int frames);

inline constexpr double kTurningShare = 0.25;

// The training mix: a share of kTurningShare turns on the spot, one of
// `there_and_back` goes there and back, the rest walks. Pure in its arguments;
// frames >= 20.
Episode TrainingEpisode(uint64_t seed, int frames, double there_and_back);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_EPISODE_H_
