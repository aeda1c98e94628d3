#ifndef TESTS_GOLDEN_CHECKS_H_
#define TESTS_GOLDEN_CHECKS_H_

#include <ostream>
#include <string>

#include "kernels/error.h"

namespace qvg::golden {

// Counts the checks of a group and tells of each that failed.
class Checks {
 public:
  explicit Checks(std::ostream* failures) : failures_(failures) {}

  // The case that the next checks belong to.
  void Enter(const std::string& name) { case_ = name; }

  void Expect(bool ok, const std::string& what) {
    ok ? ++passed_ : ++failed_;
    if (!ok) *failures_ << case_ << ": " << what << "\n";
  }
  // What is wrong, or nothing.
  void ExpectNone(const std::string& wrong, const std::string& what) {
    Expect(wrong.empty(), what + ": " + wrong);
  }
  void ExpectOk(const kernels::Error& error, const std::string& what) {
    ExpectNone(error.message, what);
  }

  int passed() const { return passed_; }
  int failed() const { return failed_; }

 private:
  std::ostream* failures_;
  std::string case_;
  int passed_ = 0;
  int failed_ = 0;
};

}  // namespace qvg::golden

#endif  // TESTS_GOLDEN_CHECKS_H_
