#include "kernels/rotary.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace qvg::kernels {
namespace {

// Frames of 2 rows and 3 columns, frames from `first` on; 64 channels in the
// shares 12, 10, 10 of pairs.
struct Grid {
  explicit Grid(int64_t first) {
    tables.first_frame = first;
    tables.frames = 5;
    tables.rows = 2;
    tables.columns = 3;
    const int64_t starts[3] = {first, 0, 0};
    const int64_t counts[3] = {5, 2, 3};
    const int pairs[3] = {12, 10, 10};
    for (int i = 0; i < 3; ++i) {
      turns[i].resize(counts[i] * pairs[i] * 2);
      FillTurns(starts[i], counts[i], pairs[i], 10000, turns[i].data());
      tables.turns[i] = turns[i].data();
      tables.pairs[i] = pairs[i];
    }
  }
  std::vector<float> turns[3];
  RotaryTables tables;
};

// A row of ones, turned: channel 2i is cos - sin of the pair's angle.
double AngleOf(const RotaryTables& tables, int64_t position, int pair) {
  std::vector<float> row(64, 0);
  row[2 * pair] = 1;
  Turn(tables, position, 64, row.data());
  return std::atan2(row[2 * pair + 1], row[2 * pair]);
}

TEST(RotaryTest, EachAxisTurnsItsPairsByItsOwnCoordinate) {
  const Grid grid(0);
  const int64_t position = 3 * 6 + 1 * 3 + 2;  // frame 3, row 1, column 2
  EXPECT_NEAR(AngleOf(grid.tables, position, 0), 3, 1e-6);
  EXPECT_NEAR(AngleOf(grid.tables, position, 6), 3 * std::pow(10000, -0.5),
              1e-6);
  EXPECT_NEAR(AngleOf(grid.tables, position, 12), 1, 1e-6);
  EXPECT_NEAR(AngleOf(grid.tables, position, 22), 2, 1e-6);
  EXPECT_NEAR(AngleOf(grid.tables, position, 27), 2 * std::pow(10000, -0.5),
              1e-6);
}

TEST(RotaryTest, FramesFarOutKeepDoublePrecision) {
  const int64_t frame = 1000003;
  const Grid grid(frame);
  const double angle = std::remainder(static_cast<double>(frame), 2 * M_PI);
  EXPECT_NEAR(AngleOf(grid.tables, frame * 6, 0), angle, 1e-6);
}

TEST(RotaryTest, TurningKeepsLengthsAndNothingElseMoves) {
  const Grid grid(0);
  std::vector<float> row(64);
  for (int i = 0; i < 64; ++i) row[i] = static_cast<float>(i - 20);
  const std::vector<float> before = row;
  Turn(grid.tables, 17, 64, row.data());
  for (int i = 0; i < 64; i += 2) {
    EXPECT_NEAR(std::hypot(row[i], row[i + 1]),
                std::hypot(before[i], before[i + 1]), 1e-4);
  }
  row = before;
  Turn(RotaryTables(), 17, 64, row.data());
  EXPECT_EQ(row, before);
}

TEST(RotaryTest, RefusesTablesThatDoNotFit) {
  Grid grid(0);
  EXPECT_TRUE(Check(grid.tables, 64).ok());
  EXPECT_TRUE(Check(RotaryTables(), 64).ok());
  EXPECT_FALSE(Check(grid.tables, 128).ok());
  grid.tables.rows = 0;
  EXPECT_FALSE(Check(grid.tables, 64).ok());
  grid.tables.rows = 2;
  grid.tables.turns[1] = nullptr;
  EXPECT_FALSE(Check(grid.tables, 64).ok());
}

TEST(RotaryTest, RefusesPositionsOutsideTheTables) {
  const Grid grid(2);
  EXPECT_TRUE(CheckPositions(grid.tables, 12, 30).ok());
  EXPECT_FALSE(CheckPositions(grid.tables, 11, 1).ok());
  EXPECT_FALSE(CheckPositions(grid.tables, 41, 2).ok());
  EXPECT_TRUE(CheckPositions(grid.tables, 0, 0).ok());
  EXPECT_TRUE(CheckPositions(RotaryTables(), 99, 9).ok());
}

}  // namespace
}  // namespace qvg::kernels
