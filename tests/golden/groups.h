#ifndef TESTS_GOLDEN_GROUPS_H_
#define TESTS_GOLDEN_GROUPS_H_

#include "tests/golden/checks.h"
#include "tests/golden/golden_case.h"

namespace qvg::golden {

// The checks of one case of each group. tests/golden/qvg/README.md says what
// the data are and which tolerance a check has.
void CheckInputs(const GoldenCase& golden, Checks* checks);
void CheckResidual(const GoldenCase& golden, Checks* checks);
void CheckAssign(const GoldenCase& golden, Checks* checks);
void CheckKmeans(const GoldenCase& golden, Checks* checks);
void CheckCodec(const GoldenCase& golden, Checks* checks);
void CheckKivi(const GoldenCase& golden, Checks* checks);
void CheckQuarot(const GoldenCase& golden, Checks* checks);
void CheckRtn(const GoldenCase& golden, Checks* checks);
void CheckAttention(const GoldenCase& golden, Checks* checks);

}  // namespace qvg::golden

#endif  // TESTS_GOLDEN_GROUPS_H_
