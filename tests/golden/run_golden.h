#ifndef TESTS_GOLDEN_RUN_GOLDEN_H_
#define TESTS_GOLDEN_RUN_GOLDEN_H_

#include <ostream>
#include <string>

namespace qvg::golden {

// Runs every group of the golden set in `directory`: a line for each on
// `report`, failed checks on `failures`. Groups are the folders of the set,
// cases the folders of a group; those that it does not know are named. False
// if a check failed, or if there was none.
bool RunGolden(const std::string& directory, std::ostream* report,
               std::ostream* failures);

}  // namespace qvg::golden

#endif  // TESTS_GOLDEN_RUN_GOLDEN_H_
