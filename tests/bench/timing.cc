#include "tests/bench/timing.h"

#include <algorithm>
#include <chrono>

namespace qvg::bench {
namespace {

struct Timing {
  double median_ms = 0;
  double iqr_ms = 0;
};

double RunMs(const Arm& arm) {
  if (arm.timed_ms) return arm.timed_ms();
  const auto start = std::chrono::steady_clock::now();
  arm.run();
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now() - start)
      .count();
}

// Threads of the arm before may spin for a while after their last work.
void WarmUp(const Arm& arm) {
  constexpr double kWarmUpMs = 25;
  for (double ms = 0; ms < kWarmUpMs;) ms += RunMs(arm);
}

Timing Summarize(std::vector<double> ms) {
  std::sort(ms.begin(), ms.end());
  const size_t n = ms.size();
  return {ms[n / 2], ms[n * 3 / 4] - ms[n / 4]};
}

std::vector<Timing> TimeInTurns(const std::vector<Arm>& arms, int repetitions) {
  std::vector<std::vector<double>> ms(arms.size());
  for (int i = 0; i < repetitions; ++i) {
    for (size_t a = 0; a < arms.size(); ++a) {
      WarmUp(arms[a]);
      ms[a].push_back(RunMs(arms[a]));
    }
  }
  std::vector<Timing> timings;
  for (const std::vector<double>& of_arm : ms) {
    timings.push_back(Summarize(of_arm));
  }
  return timings;
}

// The fastest baseline but `self`, or -1.
int FastestBaseline(const std::vector<Arm>& arms,
                    const std::vector<Timing>& timings, int self) {
  int fastest = -1;
  for (int a = 0; a < static_cast<int>(arms.size()); ++a) {
    if (!arms[a].baseline || a == self) continue;
    if (fastest < 0 || timings[a].median_ms < timings[fastest].median_ms) {
      fastest = a;
    }
  }
  return fastest;
}

}  // namespace

std::vector<Row> Measure(const Case& timed, int repetitions) {
  const std::vector<Timing> timings = TimeInTurns(timed.arms, repetitions);
  std::vector<Row> rows;
  for (int a = 0; a < static_cast<int>(timed.arms.size()); ++a) {
    Row row;
    row.name = timed.name + "/" + timed.arms[a].name;
    row.median_ms = timings[a].median_ms;
    row.iqr_ms = timings[a].iqr_ms;
    row.bytes = timed.arms[a].bytes;
    row.flop = timed.flop;
    const int baseline = FastestBaseline(timed.arms, timings, a);
    if (baseline >= 0) {
      row.baseline_name = timed.arms[baseline].name;
      row.baseline_ms = timings[baseline].median_ms;
    }
    rows.push_back(row);
  }
  return rows;
}

double RooflineMs(const Row& row, const Ceilings& ceilings) {
  if (ceilings.bytes_per_ms == 0 || ceilings.flop_per_ms == 0) return 0;
  return std::max(row.bytes / ceilings.bytes_per_ms,
                  row.flop / ceilings.flop_per_ms);
}

}  // namespace qvg::bench
