#include <cuda_runtime.h>

#include "server/generator/tinyworld/raycaster.h"
#include "server/generator/tinyworld/render.h"
#include "server/generator/tinyworld/shape.h"

namespace qvg::tinyworld {
namespace {

// One block a frame, one thread a picture column.
__global__ void RenderKernel(const uint8_t* cells, const float* poses,
                             int frames, float* tokens) {
  const int frame = blockIdx.x;
  const int episode = blockIdx.y;
  __shared__ uint8_t maze[kMazeSize * kMazeSize];
  for (int i = threadIdx.x; i < kMazeSize * kMazeSize; i += blockDim.x) {
    maze[i] = cells[episode * kMazeSize * kMazeSize + i];
  }
  __syncthreads();
  const float* p = poses + (static_cast<int64_t>(episode) * frames + frame) * 3;
  const Pose pose{p[0], p[1], p[2]};
  const int x = threadIdx.x;
  const Column column = CastColumn(maze, pose, PictureCoordinate(x) * kPlane);
  const int64_t chunk =
      (static_cast<int64_t>(episode) * frames + frame) / kFramesPerChunk;
  for (int y = 0; y < kFrameSize; ++y) {
    const Rgb color = ShadePixel(column, pose, PictureCoordinate(y));
    float* pixel = tokens + chunk * kChunkValues +
                   TokenOffset(frame % kFramesPerChunk, y, x);
    pixel[0] = 2.0f * color.red - 1.0f;
    pixel[1] = 2.0f * color.green - 1.0f;
    pixel[2] = 2.0f * color.blue - 1.0f;
  }
}

}  // namespace

kernels::Error RenderEpisodesCuda(const uint8_t* cells, const float* poses,
                                  int episodes, int frames, float* tokens,
                                  void* stream) {
  if (frames % kFramesPerChunk != 0) {
    return kernels::Error::Invalid("frames: no multiple of 4");
  }
  RenderKernel<<<dim3(frames, episodes), kFrameSize, 0,
                 static_cast<cudaStream_t>(stream)>>>(cells, poses, frames,
                                                      tokens);
  if (cudaGetLastError() != cudaSuccess) {
    return {kernels::Error::Code::kDevice, "rendering failed to start"};
  }
  return kernels::Error::Ok();
}

}  // namespace qvg::tinyworld
