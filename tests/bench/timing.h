#ifndef TESTS_BENCH_TIMING_H_
#define TESTS_BENCH_TIMING_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace qvg::bench {

// One way to do a case's work.
struct Arm {
  std::string name;
  int64_t bytes = 0;  // of the stored operands it reads or writes
  std::function<void()> run;
  // Whether the other arms are compared with it; with several of them, with
  // the fastest.
  bool baseline = false;
  // In place of `run`, of an arm that times itself: milliseconds of one run.
  std::function<double()> timed_ms = nullptr;
};

// Arms that do the same work, timed in turns.
struct Case {
  std::string name;
  double flop = 0;
  std::vector<Arm> arms;
};

struct Row {
  std::string name;  // case/arm
  double median_ms = 0;
  double iqr_ms = 0;
  int64_t bytes = 0;
  double flop = 0;
  std::string baseline_name;
  std::optional<double> baseline_ms;
};

// Times every arm `repetitions` times. The arms take turns, so that what else
// the machine does hits all alike, and each timed run follows untimed ones of
// the same arm, so that neither the caches nor the threads of another arm
// count.
std::vector<Row> Measure(const Case& timed, int repetitions);

// The rates that bound all rows of a device.
struct Ceilings {
  double bytes_per_ms = 0;
  double flop_per_ms = 0;
};

// The least time that the row's bytes and FLOP leave room for, in
// milliseconds; 0 without ceilings.
double RooflineMs(const Row& row, const Ceilings& ceilings);

}  // namespace qvg::bench

#endif  // TESTS_BENCH_TIMING_H_
