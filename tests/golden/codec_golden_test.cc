// Compares kernels and codecs with golden data that were computed elsewhere.

#include <cstdio>
#include <iostream>
#include <string>

#include "tests/golden/operations.h"
#include "tests/golden/run_golden.h"

namespace {

constexpr char kUsage[] =
    "Usage: codec_golden_test --golden_dir=DIR [--device=cpu|cuda]\n"
    "Runs the checks of every group in DIR (tests/golden/qvg/README.md).\n"
    "Exit status: 0 if all passed, 1 if not, 2 for wrong arguments.\n";

struct Options {
  std::string golden_dir;
  std::string device = "cpu";
  bool help = false;
};

// Whether `argument` is --name=VALUE, hyphens and underscores alike.
bool Flag(std::string argument, const std::string& name, std::string* value) {
  const size_t equals = argument.find('=');
  if (argument.rfind("--", 0) != 0 || equals == std::string::npos) return false;
  for (size_t i = 2; i < equals; ++i) {
    if (argument[i] == '-') argument[i] = '_';
  }
  if (argument.substr(2, equals - 2) != name) return false;
  *value = argument.substr(equals + 1);
  return true;
}

// Empty, or what is wrong.
std::string Parse(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--help") {
      options->help = true;
    } else if (!Flag(argument, "golden_dir", &options->golden_dir) &&
               !Flag(argument, "device", &options->device)) {
      return "unknown argument '" + argument + "'";
    }
  }
  if (options->help) return "";
  if (!qvg::golden::Select(options->device)) {
    return "device: '" + options->device +
           "' is not supported by this build or machine; must be cpu or cuda";
  }
  return options->golden_dir.empty() ? "golden_dir: missing" : "";
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const std::string error = Parse(argc, argv, &options);
  if (!error.empty()) {
    std::cerr << "codec_golden_test: " << error << "\n" << kUsage;
    return 2;
  }
  if (options.help) {
    std::cout << kUsage;
    return 0;
  }
  return qvg::golden::RunGolden(options.golden_dir, &std::cout, &std::cerr) ? 0
                                                                            : 1;
}
