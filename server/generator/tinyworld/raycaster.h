#ifndef SERVER_GENERATOR_TINYWORLD_RAYCASTER_H_
#define SERVER_GENERATOR_TINYWORLD_RAYCASTER_H_

#include <cmath>
#include <cstdint>

#include "server/generator/tinyworld/host_device.h"
#include "server/generator/tinyworld/maze.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {

// The renderer's arithmetic, one source for host and device.

// Half the picture plane's width at distance 1: tan(75 degrees / 2).
inline constexpr float kPlane = 0.7673269879789604f;

struct Rgb {
  float red = 0;
  float green = 0;
  float blue = 0;
};

QVG_HOST_DEVICE inline Rgb Scaled(const Rgb& color, float factor) {
  return {color.red * factor, color.green * factor, color.blue * factor};
}

QVG_HOST_DEVICE inline Rgb WallColor(int index) {
  switch (index) {
    case 0:
      return {0.9f, 0.25f, 0.2f};
    case 1:
      return {0.2f, 0.75f, 0.3f};
    case 2:
      return {0.25f, 0.4f, 0.95f};
    case 3:
      return {0.95f, 0.85f, 0.25f};
    case 4:
      return {0.85f, 0.35f, 0.85f};
    default:
      return {0.3f, 0.85f, 0.9f};
  }
}

// Position on the picture of pixel i of 128: -1 ... 1, right or down.
QVG_HOST_DEVICE inline float PictureCoordinate(float i) {
  return 2.0f * i / (kFrameSize - 1) - 1.0f;
}

// What one picture column sees.
struct Column {
  float ray_x = 0;  // direction, perpendicular length 1
  float ray_y = 0;
  float height = 0;  // half the wall's height on the picture
  float u = 0;       // across the wall, [0, 1)
  float light = 1;
  int wall = 0;  // cell value, never 0
};

// Walks the grid from `pose` along the ray at `offset` (in plane units, right
// positive) to the first wall; the border stops every ray.
QVG_HOST_DEVICE inline Column CastColumn(const uint8_t* cells, const Pose& pose,
                                         float offset) {
  const float sine = sinf(pose.heading);
  const float cosine = cosf(pose.heading);
  Column column;
  column.ray_x = cosine - offset * sine;
  column.ray_y = sine + offset * cosine;
  const float step_x = 1.0f / fmaxf(fabsf(column.ray_x), 1e-9f);
  const float step_y = 1.0f / fmaxf(fabsf(column.ray_y), 1e-9f);
  int x = static_cast<int>(floorf(pose.x));
  int y = static_cast<int>(floorf(pose.y));
  float next_x = (column.ray_x < 0 ? pose.x - x : x + 1.0f - pose.x) * step_x;
  float next_y = (column.ray_y < 0 ? pose.y - y : y + 1.0f - pose.y) * step_y;
  float distance = 0;
  bool y_face = false;
  do {
    y_face = next_y < next_x;
    if (y_face) {
      distance = next_y;
      next_y += step_y;
      y += column.ray_y < 0 ? -1 : 1;
    } else {
      distance = next_x;
      next_x += step_x;
      x += column.ray_x < 0 ? -1 : 1;
    }
    column.wall = cells[y * kMazeSize + x];
  } while (column.wall == 0);
  const float hit = y_face ? pose.x + distance * column.ray_x
                           : pose.y + distance * column.ray_y;
  column.u = hit - floorf(hit);
  column.height = 0.9f / fmaxf(distance, 0.15f);
  column.light = (y_face ? 0.75f : 1.0f) / (1.0f + 0.12f * distance);
  return column;
}

QVG_HOST_DEVICE inline Rgb ShadeWall(const Column& column, float v) {
  const int kind = column.wall - 1;
  const float w = (v / column.height + 1.0f) * 0.5f;
  const float stripe = 4.0f * column.u;
  const bool dark = kind % kWallTextures == 0
                        ? stripe - floorf(stripe) < 0.5f
                        : (static_cast<int>(floorf(stripe)) +
                           static_cast<int>(floorf(4.0f * w))) %
                                  2 !=
                              0;
  return Scaled(WallColor(kind / kWallTextures),
                column.light * (dark ? 0.55f : 1.0f));
}

QVG_HOST_DEVICE inline Rgb ShadeFloorOrCeiling(const Column& column,
                                               const Pose& pose, float v) {
  const float f = 0.9f / fmaxf(fabsf(v), 0.05f);
  const float light = 1.0f / (1.0f + 0.15f * f);
  if (v <= 0) return Scaled({0.55f, 0.65f, 0.8f}, light);
  const int x = static_cast<int>(floorf(2.0f * (pose.x + f * column.ray_x)));
  const int y = static_cast<int>(floorf(2.0f * (pose.y + f * column.ray_y)));
  const bool odd = ((x + y) & 1) != 0;
  return Scaled(odd ? Rgb{0.3f, 0.25f, 0.2f} : Rgb{0.45f, 0.38f, 0.3f}, light);
}

// The colour at height `v` (down positive) of a column, channels in [0, 1].
QVG_HOST_DEVICE inline Rgb ShadePixel(const Column& column, const Pose& pose,
                                      float v) {
  return fabsf(v) < column.height ? ShadeWall(column, v)
                                  : ShadeFloorOrCeiling(column, pose, v);
}

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_RAYCASTER_H_
