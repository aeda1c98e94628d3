#ifndef CLIENT_FLAGS_H_
#define CLIENT_FLAGS_H_

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace qvg {

// The flags of one command. Names are given with hyphens; underscores are
// accepted as well. "--name=value" and "--name value" are the same; a bool is
// set by "--name" and takes a value only after "=".
class FlagSet {
 public:
  using Target = std::variant<bool*, int*, uint64_t*, double*, std::string*>;

  // `target` holds the default and must outlive the set.
  void Add(absl::string_view name, Target target, absl::string_view help);

  // Sets the targets and returns what is no flag ("--" ends the flags).
  // INVALID_ARGUMENT names a flag that is unknown, has no value or a bad one.
  absl::StatusOr<std::vector<std::string>> Parse(
      const std::vector<std::string>& arguments);

  // Whether Parse saw the flag.
  bool Given(absl::string_view name) const;

  // A line or more per flag, with defaults.
  std::string Help() const;

 private:
  struct Flag {
    Target target;
    std::string help;
    std::string default_value;
    bool given = false;
  };

  absl::StatusOr<Flag*> Find(absl::string_view argument);
  // Parses the flag at arguments[*at] and moves *at to the last word it took.
  absl::Status ParseFlag(const std::vector<std::string>& arguments, size_t* at);

  std::map<std::string, Flag, std::less<>> flags_;
};

}  // namespace qvg

#endif  // CLIENT_FLAGS_H_
