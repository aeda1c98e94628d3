#ifndef SERVER_GENERATOR_TINYWORLD_RENDER_H_
#define SERVER_GENERATOR_TINYWORLD_RENDER_H_

#include <cstdint>

#include "kernels/error.h"
#include "server/generator/tinyworld/maze.h"

namespace qvg::tinyworld {

// Draws what one chunk's four poses see into `tokens`, [128,1536] in the
// order of TokenOffset, values in [-1, 1].
void RenderChunk(const Maze& maze, const Pose* poses, float* tokens);

// The same for whole episodes on the current device: `cells` [E,144] and
// `poses` [E,F,3] as laid out in Maze and Pose, `tokens` [E,F/4,128,1536], all
// device memory; F is a multiple of 4. `stream` is a cudaStream_t.
kernels::Error RenderEpisodesCuda(const uint8_t* cells, const float* poses,
                                  int episodes, int frames, float* tokens,
                                  void* stream);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_RENDER_H_
