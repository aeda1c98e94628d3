#ifndef TESTS_BENCH_CASES_H_
#define TESTS_BENCH_CASES_H_

#include <functional>
#include <string>
#include <vector>

#include "kernels/parallel_for.h"
#include "tests/bench/timing.h"

namespace qvg::bench {

// A case that is built only if it is run.
struct CaseFactory {
  std::string name;
  std::function<Case(kernels::ParallelFor& parallel_for)> make;
};

// One chunk of TinyWorld (128 queries, 4 heads of 64) against histories of
// 160 and 304 frames in spans of one chunk, by encoding.
std::vector<CaseFactory> AttentionCases();

// What packs and unpacks TinyWorld's keys or values of one layer (4 heads of
// 64), each against its plain version.
std::vector<CaseFactory> CodecCases();

// The device's name; none in a build without device code.
std::string DeviceName();

// Device code on the shapes of published models, and what bounds it.
std::vector<CaseFactory> DeviceCases();
std::vector<CaseFactory> DeviceAttentionCases();
std::vector<CaseFactory> CeilingCases();

}  // namespace qvg::bench

#endif  // TESTS_BENCH_CASES_H_
