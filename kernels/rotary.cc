#include "kernels/rotary.h"

#include <cmath>

namespace qvg::kernels {

Error Check(const RotaryTables& tables, int dim) {
  if (tables.empty()) return Error::Ok();
  int pairs = 0;
  for (int axis = 0; axis < 3; ++axis) {
    if (tables.pairs[axis] < 0) {
      return Error::Invalid("rotary: pairs must not be negative");
    }
    if (tables.pairs[axis] > 0 && tables.turns[axis] == nullptr) {
      return Error::Invalid("rotary: turns: null");
    }
    pairs += tables.pairs[axis];
  }
  if (2 * pairs != dim) {
    return Error::Invalid("rotary: pairs must be half of head_dim");
  }
  if (tables.rows < 1 || tables.columns < 1 || tables.frames < 1) {
    return Error::Invalid("rotary: frames, rows, columns must be positive");
  }
  return Error::Ok();
}

Error CheckPositions(const RotaryTables& tables, int64_t position,
                     int64_t tokens) {
  if (tables.empty() || tokens == 0) return Error::Ok();
  const int64_t per_frame = int64_t{tables.rows} * tables.columns;
  const int64_t last = position + tokens - 1;
  if (position < tables.first_frame * per_frame ||
      last >= (tables.first_frame + tables.frames) * per_frame) {
    return Error::Invalid("segments: position outside the rotary tables");
  }
  return Error::Ok();
}

void Turn(const RotaryTables& tables, int64_t position, int dim, float* row) {
  if (tables.empty()) return;
  const int64_t column = position % tables.columns;
  const int64_t line = position / tables.columns;
  const int64_t at[3] = {line / tables.rows - tables.first_frame,
                         line % tables.rows, column};
  int axis = 0;
  int pair = 0;
  for (int i = 0; i < dim / 2; ++i, ++pair) {
    while (pair == tables.pairs[axis]) {
      ++axis;
      pair = 0;
    }
    const float* turn =
        tables.turns[axis] + (at[axis] * tables.pairs[axis] + pair) * 2;
    const float real = row[2 * i];
    const float imaginary = row[2 * i + 1];
    row[2 * i] = real * turn[0] - imaginary * turn[1];
    row[2 * i + 1] = real * turn[1] + imaginary * turn[0];
  }
}

void FillTurns(int64_t first, int64_t positions, int pairs, double theta,
               float* turns) {
  for (int64_t i = 0; i < positions * pairs; ++i) {
    const double angle =
        static_cast<double>(first + i / pairs) *
        std::pow(theta, -static_cast<double>(i % pairs) / pairs);
    turns[2 * i] = static_cast<float>(std::cos(angle));
    turns[2 * i + 1] = static_cast<float>(std::sin(angle));
  }
}

}  // namespace qvg::kernels
