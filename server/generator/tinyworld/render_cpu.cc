#include "server/generator/tinyworld/raycaster.h"
#include "server/generator/tinyworld/render.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

void RenderColumn(const Maze& maze, const Pose& pose, int frame, int x,
                  float* tokens) {
  const Column column =
      CastColumn(maze.cells.data(), pose, PictureCoordinate(x) * kPlane);
  for (int y = 0; y < kFrameSize; ++y) {
    const Rgb color = ShadePixel(column, pose, PictureCoordinate(y));
    float* pixel = tokens + TokenOffset(frame, y, x);
    pixel[0] = 2.0f * color.red - 1.0f;
    pixel[1] = 2.0f * color.green - 1.0f;
    pixel[2] = 2.0f * color.blue - 1.0f;
  }
}

}  // namespace

void RenderChunk(const Maze& maze, const Pose* poses, float* tokens) {
  for (int frame = 0; frame < kFramesPerChunk; ++frame) {
    for (int x = 0; x < kFrameSize; ++x) {
      RenderColumn(maze, poses[frame], frame, x, tokens);
    }
  }
}

}  // namespace qvg::tinyworld
