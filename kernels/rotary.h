#ifndef KERNELS_ROTARY_H_
#define KERNELS_ROTARY_H_

#include <cstdint>

#include "kernels/error.h"

namespace qvg::kernels {

// Rotary position embedding of tokens that fill a grid of frames, rows and
// columns, columns fastest (Wan; RoFormer, arXiv 2104.09864). Channels 2i and
// 2i + 1 are a complex number, which is multiplied by one that the token's
// frame gives (the first pairs[0] of them), its row (the next pairs[1]) or its
// column.
struct RotaryTables {
  // Cosine and sine, [frames or rows or columns, pairs, 2]; the first frame of
  // the table is number first_frame.
  const float* turns[3] = {};
  int pairs[3] = {};  // together half the head dim; all 0: nothing is turned
  int64_t first_frame = 0;
  int64_t frames = 0;
  int rows = 0;     // of a frame
  int columns = 0;  // of a row

  constexpr bool empty() const { return pairs[0] + pairs[1] + pairs[2] == 0; }
  bool operator==(const RotaryTables&) const = default;
};

// Whether `tables` are empty or complete for head dim `dim`.
Error Check(const RotaryTables& tables, int dim);

// Whether tokens [position, position + tokens) are in frames of the tables.
Error CheckPositions(const RotaryTables& tables, int64_t position,
                     int64_t tokens);

// Turns row[dim] of the token at `position`, in place, in FP32.
void Turn(const RotaryTables& tables, int64_t position, int dim, float* row);

// turns[positions,pairs,2] for positions from `first` on: pair i turns by
// position / theta^(i / pairs), taken in double precision.
void FillTurns(int64_t first, int64_t positions, int pairs, double theta,
               float* turns);

}  // namespace qvg::kernels

#endif  // KERNELS_ROTARY_H_
