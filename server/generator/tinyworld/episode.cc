#include "server/generator/tinyworld/episode.h"

#include <utility>

namespace qvg::tinyworld {
namespace {

constexpr double kKeepWalking = 0.85;
constexpr double kKeepTurning = 0.9;
constexpr double kOneDirection = 1.0 / 3;
constexpr int kShortestWay = 8;  // frames, out and on the way back

Action DrawWalk(Random& random) {
  const double p = random.Uniform();
  if (p < 0.05) return Action::kIdle;
  if (p < 0.50) return Action::kForward;
  if (p < 0.60) return Action::kBack;
  return p < 0.80 ? Action::kLeft : Action::kRight;
}

Action DrawTurn(Random& random) {
  const double p = random.Uniform();
  if (p < 0.10) return Action::kIdle;
  return p < 0.55 ? Action::kLeft : Action::kRight;
}

}  // namespace

std::vector<Action> WalkActions(int frames, Random& random) {
  std::vector<Action> actions(frames);
  Action action = DrawWalk(random);
  for (Action& a : actions) {
    if (random.Uniform() >= kKeepWalking) action = DrawWalk(random);
    a = action;
  }
  return actions;
}

std::vector<Action> TurningActions(int frames, Random& random) {
  if (random.Uniform() < kOneDirection) {
    return std::vector<Action>(
        frames, random.Below(2) == 0 ? Action::kLeft : Action::kRight);
  }
  std::vector<Action> actions(frames);
  Action action = DrawTurn(random);
  for (Action& a : actions) {
    if (random.Uniform() >= kKeepTurning) action = DrawTurn(random);
    a = action;
  }
  return actions;
}

Episode Play(const Maze& maze, std::vector<Action> actions) {
  Episode episode;
  episode.maze = maze;
  episode.poses.reserve(actions.size());
  Pose pose = maze.start;
  for (const Action action : actions) {
    pose = Step(maze, pose, action);
    episode.poses.push_back(pose);
  }
  episode.actions = std::move(actions);
  return episode;
}

Episode ThereAndBack(const Episode& episode, int out, int frames) {
  Episode result;
  result.maze = episode.maze;
  for (int t = 0; t < frames; ++t) {
    const int lap = t / out;
    const int step = t % out;
    const bool back = lap % 2 != 0;
    const int source = back ? out - 1 - step : step;
    Action action = Action::kIdle;
    if (lap == 0 || (step > 0 && !back)) action = episode.actions[source];
    if (step > 0 && back) action = Inverse(episode.actions[source + 1]);
    result.actions.push_back(action);
    result.poses.push_back(episode.poses[source]);
  }
  return result;
}

Episode TrainingEpisode(uint64_t seed, int frames, double there_and_back) {
  Random random(seed);
  const Maze maze = MakeMaze(random.Next());
  const double kind = random.Uniform();
  if (kind < kTurningShare) {
    return Play(maze, TurningActions(frames, random));
  }
  Episode walk = Play(maze, WalkActions(frames, random));
  if (kind >= kTurningShare + there_and_back) return walk;
  const int out = kShortestWay + random.Below(frames - 2 * kShortestWay);
  return ThereAndBack(walk, out, frames);
}

}  // namespace qvg::tinyworld
