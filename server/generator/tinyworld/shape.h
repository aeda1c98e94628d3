#ifndef SERVER_GENERATOR_TINYWORLD_SHAPE_H_
#define SERVER_GENERATOR_TINYWORLD_SHAPE_H_

#include <cstdint>

#include "server/generator/tinyworld/host_device.h"

namespace qvg::tinyworld {

// The sizes of the world's frames and of the model that learns them.
inline constexpr int kFrameSize = 128;  // pixels, both ways
inline constexpr int kPatch = 16;       // pixels, both ways
inline constexpr int kPatches = kFrameSize / kPatch;
inline constexpr int kFramesPerToken = 2;
inline constexpr int kFramesPerChunk = 4;
inline constexpr int kPairs = kFramesPerChunk / kFramesPerToken;
inline constexpr int kTokens = kPairs * kPatches * kPatches;  // per chunk
inline constexpr int kTokenValues = kFramesPerToken * kPatch * kPatch * 3;
inline constexpr int kFrameValues = kFrameSize * kFrameSize * 3;
inline constexpr int kChunkValues = kFramesPerChunk * kFrameValues;

inline constexpr int kBlocks = 10;
inline constexpr int kWidth = 256;
inline constexpr int kHeads = 4;
inline constexpr int kHeadDim = 64;
inline constexpr int kHidden = 4 * kWidth;
inline constexpr int kBottleneck = 128;
inline constexpr int kFrequencies = 64;  // of the noise level's sinusoid
inline constexpr int kRayValues = 32;    // per frame and patch column
// (pair, patch column): the places of a chunk with rays of their own.
inline constexpr int kRayPlaces = kPairs * kPatches;
inline constexpr int kWindowChunks = 3;  // chunks back that a local block sees

// Even blocks are local, odd ones see the whole history.
constexpr int WindowChunks(int block) {
  return block % 2 == 0 ? kWindowChunks : 0;
}

// Where the red value of a pixel lies in a chunk laid out as tokens,
// [pair,patch row,patch column][frame of pair,row,column,channel].
QVG_HOST_DEVICE constexpr int TokenOffset(int frame, int row, int column) {
  const int pair = frame / kFramesPerToken;
  const int token =
      (pair * kPatches + row / kPatch) * kPatches + column / kPatch;
  const int frame_row = frame % kFramesPerToken * kPatch + row % kPatch;
  return token * kTokenValues + (frame_row * kPatch + column % kPatch) * 3;
}

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_SHAPE_H_
