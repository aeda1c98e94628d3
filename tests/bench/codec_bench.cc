// What every codec without tables stores and loses on golden keys and values.

#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_format.h"
#include "tests/bench/codec_error.h"

ABSL_FLAG(std::string, golden_dir, "tests/golden/qvg",
          "A golden set with the group 'inputs'");
ABSL_FLAG(std::vector<std::string>, inputs,
          std::vector<std::string>({"k_d64", "v_d64", "k_d128", "v_d128",
                                    "k_d256", "v_d256"}),
          "Cases of that group; names that begin with k are keys");
ABSL_FLAG(std::string, csv, "", "Write the rows to this file");

namespace qvg::bench {
namespace {

constexpr const char* kSpecs[] = {
    "bf16",
    "qvg",
    "qvg-base3",
    "qvg-search",
    "qvg-search-base3",
    "qvg-four",
    "qvg-four:block=32",
    "qvg-four:block=16",
    "qvg-four-search",
    "qvg-four-search:block=32",
    "qvg-minmax",
    "qvg:bits=4",
    "qvg:block=16,stages=4",
    "qvg-search:block=16,stages=4",
    "qvg-four:block=16,stages=4",
    "qvg-four-search:block=16,stages=4",
    "qvg-minmax:block=16,stages=4",
    "rtn:block=64",
    "rtn",
    "rtn:bits=4",
    "kivi:block=64",
    "kivi",
    "kivi:bits=4",
    "quarot",
    "quarot:bits=4",
};

std::string Row(const std::string& input, const std::string& spec,
                const CodecError& error) {
  return absl::StrFormat("%s,\"%s\",%.4f,%.4f,%.5f,%.5f", input, spec,
                         error.bits, error.codebook_bits, error.rel_l2,
                         error.residual_error);
}

std::vector<std::string> Rows() {
  std::vector<std::string> rows = {
      "input,codec,bits,codebook_bits,rel_l2,residual_error"};
  for (const std::string& input : absl::GetFlag(FLAGS_inputs)) {
    const golden::GoldenCase golden(absl::GetFlag(FLAGS_golden_dir),
                                    "inputs/" + input);
    const golden::PointSet points = golden.Points("x");
    for (const char* spec : kSpecs) {
      rows.push_back(
          Row(input, spec, MeasureCodec(points, spec, input[0] == 'k')));
      std::cout << rows.back() << std::endl;
    }
  }
  return rows;
}

int Main() {
  try {
    const std::vector<std::string> rows = Rows();
    if (absl::GetFlag(FLAGS_csv).empty()) return 0;
    std::ofstream file(absl::GetFlag(FLAGS_csv));
    for (const std::string& row : rows) file << row << "\n";
    if (file.flush()) return 0;
    std::cerr << "csv: '" << absl::GetFlag(FLAGS_csv)
              << "' cannot be written\n";
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
  }
  return 1;
}

}  // namespace
}  // namespace qvg::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "packs golden keys and values with every codec without tables; one row "
      "per input and codec");
  absl::ParseCommandLine(argc, argv);
  return qvg::bench::Main();
}
