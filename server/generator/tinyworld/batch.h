#ifndef SERVER_GENERATOR_TINYWORLD_BATCH_H_
#define SERVER_GENERATOR_TINYWORLD_BATCH_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "server/generator/tinyworld/episode.h"

namespace qvg::tinyworld {

// Episodes as tensors, B episodes of T frames.
struct Batch {
  at::Tensor cells;    // (B,144) uint8
  at::Tensor poses;    // (B,T,3) FP32
  at::Tensor actions;  // (B,T) int32
};

// Episodes of equal length on the CPU.
Batch ToBatch(const std::vector<Episode>& episodes);

// `count` training episodes, drawn from `seed` alone, of which a share of
// `there_and_back` goes there and back.
Batch TrainingBatch(uint64_t seed, int count, int frames,
                    double there_and_back);

// Uninitialised, on `device`.
Batch EmptyBatch(int count, int frames, const at::Device& device);

// Copies into `to`; from pinned memory without waiting for the device.
void CopyBatch(const Batch& from, const Batch& to);
Batch Pinned(const Batch& batch);

// What the episodes look like: (B*T/4,128,1536) FP32 on their device.
at::Tensor RenderBatch(const Batch& batch);

}  // namespace qvg::tinyworld

#endif  // SERVER_GENERATOR_TINYWORLD_BATCH_H_
