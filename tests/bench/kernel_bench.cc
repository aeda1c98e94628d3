// Times the kernels against their baselines on this machine.

#include <algorithm>
#include <fstream>
#include <iostream>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "kernels/thread_pool.h"
#include "tests/bench/cases.h"
#include "tests/bench/timing.h"

ABSL_FLAG(std::string, device, "cpu", "Where the kernels run: cpu or cuda");
ABSL_FLAG(std::string, filter, "",
          "Run the cases whose name holds a match of this regular expression");
ABSL_FLAG(std::string, json, "", "Also write the rows to this file");
ABSL_FLAG(int, threads, 2, "Threads of our kernels and of the baselines");
ABSL_FLAG(int, repetitions, 21, "Timed runs of every arm of a case");

namespace qvg::bench {
namespace {

// The processor's name as Linux knows it.
std::string CpuName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown CPU";
}

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string ToJson(const Row& row, const std::string& device,
                   const Ceilings& ceilings) {
  std::string baseline = "null";
  if (row.baseline_ms) baseline = absl::StrFormat("%.4f", *row.baseline_ms);
  const double roofline_ms = RooflineMs(row, ceilings);
  const std::string roofline =
      roofline_ms > 0 ? absl::StrFormat(", \"roofline_ms\": %.4f", roofline_ms)
                      : "";
  return absl::StrFormat(
      "{\"name\": %s, \"device\": %s, \"median_ms\": %.4f, \"iqr_ms\": %.4f, "
      "\"bytes\": %d, \"flop\": %.0f, \"baseline_name\": %s, "
      "\"baseline_ms\": %s%s}",
      Quoted(row.name), Quoted(device), row.median_ms, row.iqr_ms, row.bytes,
      row.flop, row.baseline_ms ? Quoted(row.baseline_name) : "null", baseline,
      roofline);
}

void Print(const Row& row, const Ceilings& ceilings) {
  std::string compared;
  if (row.baseline_ms) {
    compared = absl::StrFormat("%5.2fx of %s", row.median_ms / *row.baseline_ms,
                               row.baseline_name);
  }
  const double roofline_ms = RooflineMs(row, ceilings);
  if (roofline_ms > 0) {
    absl::StrAppendFormat(&compared, " %5.1f%% of the roofline",
                          100 * roofline_ms / row.median_ms);
  }
  std::cout << absl::StrFormat(
                   "%-36s %9.3f ms  iqr %7.3f %7.1f GFLOP/s %6.2f GB/s  %s\n",
                   row.name, row.median_ms, row.iqr_ms,
                   row.flop / row.median_ms / 1e6,
                   row.bytes / row.median_ms / 1e6, compared)
            << std::flush;
}

bool OnDevice() { return absl::GetFlag(FLAGS_device) == "cuda"; }

std::vector<CaseFactory> AllCases() {
  std::vector<CaseFactory> cases =
      OnDevice() ? DeviceAttentionCases() : AttentionCases();
  for (CaseFactory& factory : OnDevice() ? DeviceCases() : CodecCases()) {
    cases.push_back(std::move(factory));
  }
  return cases;
}

// Measured before all else, so that every row can be compared with them.
Ceilings MeasureCeilings(kernels::ParallelFor& parallel_for,
                         std::vector<Row>* rows) {
  Ceilings ceilings;
  if (!OnDevice()) return ceilings;
  for (const CaseFactory& factory : CeilingCases()) {
    for (const Row& row : Measure(factory.make(parallel_for),
                                  absl::GetFlag(FLAGS_repetitions))) {
      Print(row, {});
      rows->push_back(row);
      ceilings.bytes_per_ms =
          std::max(ceilings.bytes_per_ms, row.bytes / row.median_ms);
      ceilings.flop_per_ms =
          std::max(ceilings.flop_per_ms, row.flop / row.median_ms);
    }
  }
  return ceilings;
}

std::vector<Row> RunCases(const std::regex& filter, Ceilings* ceilings) {
  kernels::ThreadPool pool(absl::GetFlag(FLAGS_threads));
  std::vector<Row> rows;
  *ceilings = MeasureCeilings(pool, &rows);
  for (const CaseFactory& factory : AllCases()) {
    if (!std::regex_search(factory.name, filter)) continue;
    for (const Row& row :
         Measure(factory.make(pool), absl::GetFlag(FLAGS_repetitions))) {
      Print(row, *ceilings);
      rows.push_back(row);
    }
  }
  return rows;
}

bool WriteJson(const std::vector<Row>& rows, const std::string& device,
               const Ceilings& ceilings, const std::string& path) {
  std::ofstream file(path);
  const char* separator = "[\n";
  for (const Row& row : rows) {
    file << separator << ToJson(row, device, ceilings);
    separator = ",\n";
  }
  file << (rows.empty() ? "[]\n" : "\n]\n");
  return static_cast<bool>(file.flush());
}

int Fail(const std::string& message) {
  std::cerr << "kernel_bench: " << message << "\n";
  return 1;
}

int Main() {
  if (absl::GetFlag(FLAGS_device) != "cpu" &&
      (!OnDevice() || DeviceCases().empty())) {
    return Fail(absl::StrCat("--device: ", absl::GetFlag(FLAGS_device),
                             " is not built in"));
  }
  if (absl::GetFlag(FLAGS_threads) < 1) {
    return Fail("--threads: must be at least 1");
  }
  if (absl::GetFlag(FLAGS_repetitions) < 1) {
    return Fail("--repetitions: must be at least 1");
  }
  std::regex filter;
  try {
    filter = absl::GetFlag(FLAGS_filter);
  } catch (const std::regex_error&) {
    return Fail("--filter: not a regular expression");
  }
  const std::string device =
      OnDevice() ? DeviceName()
                 : absl::StrCat(CpuName(), ", ", absl::GetFlag(FLAGS_threads),
                                " threads");
  std::cout << device << "\n";
  Ceilings ceilings;
  const std::vector<Row> rows = RunCases(filter, &ceilings);
  if (rows.empty()) return Fail("--filter: matches no case");
  const std::string path = absl::GetFlag(FLAGS_json);
  if (!path.empty() && !WriteJson(rows, device, ceilings, path)) {
    return Fail(absl::StrCat("--json: cannot write ", path));
  }
  return 0;
}

}  // namespace
}  // namespace qvg::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "times the kernels; one row per case and arm, each compared with the "
      "fastest baseline");
  absl::ParseCommandLine(argc, argv);
  return qvg::bench::Main();
}
