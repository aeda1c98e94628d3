#include "client/flags.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace qvg {
namespace {

constexpr size_t kHelpColumn = 24;

std::string ToText(const FlagSet::Target& target) {
  struct Visitor {
    std::string operator()(bool* v) const { return *v ? "true" : "false"; }
    std::string operator()(int* v) const { return absl::StrCat(*v); }
    std::string operator()(uint64_t* v) const { return absl::StrCat(*v); }
    std::string operator()(double* v) const { return absl::StrCat(*v); }
    std::string operator()(std::string* v) const { return *v; }
  };
  return std::visit(Visitor(), target);
}

bool Assign(const FlagSet::Target& target, absl::string_view text) {
  struct Visitor {
    absl::string_view text;
    bool operator()(bool* v) const { return absl::SimpleAtob(text, v); }
    bool operator()(int* v) const { return absl::SimpleAtoi(text, v); }
    bool operator()(uint64_t* v) const { return absl::SimpleAtoi(text, v); }
    bool operator()(double* v) const {
      return absl::SimpleAtod(text, v) && std::isfinite(*v);
    }
    bool operator()(std::string* v) const {
      *v = std::string(text);
      return true;
    }
  };
  return std::visit(Visitor{text}, target);
}

const char* Kind(const FlagSet::Target& target) {
  static constexpr const char* kKinds[] = {
      "true or false", "a number", "a number from 0", "a number", "a text"};
  return kKinds[target.index()];
}

}  // namespace

void FlagSet::Add(absl::string_view name, Target target,
                  absl::string_view help) {
  flags_[std::string(name)] = {target, std::string(help), ToText(target)};
}

absl::StatusOr<FlagSet::Flag*> FlagSet::Find(absl::string_view argument) {
  auto flag = flags_.find(absl::StrReplaceAll(argument, {{"_", "-"}}));
  if (flag != flags_.end()) return &flag->second;
  return absl::InvalidArgumentError(absl::StrCat("unknown flag --", argument));
}

absl::StatusOr<std::vector<std::string>> FlagSet::Parse(
    const std::vector<std::string>& arguments) {
  std::vector<std::string> rest;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const absl::string_view argument = arguments[i];
    if (argument == "--") {
      rest.insert(rest.end(), arguments.begin() + i + 1, arguments.end());
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') {
      rest.push_back(arguments[i]);
      continue;
    }
    absl::Status status = ParseFlag(arguments, &i);
    if (!status.ok()) return status;
  }
  return rest;
}

absl::Status FlagSet::ParseFlag(const std::vector<std::string>& arguments,
                                size_t* at) {
  absl::string_view argument = arguments[*at];
  argument.remove_prefix(argument[1] == '-' ? 2 : 1);
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(argument, absl::MaxSplits('=', 1));
  absl::StatusOr<Flag*> flag = Find(parts.first);
  if (!flag.ok()) return flag.status();
  absl::string_view value = parts.second;
  if (!absl::StrContains(argument, '=')) {
    const bool is_bool = std::holds_alternative<bool*>((*flag)->target);
    if (!is_bool && *at + 1 == arguments.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", parts.first, " needs a value"));
    }
    value = is_bool ? "true" : absl::string_view(arguments[++*at]);
  }
  (*flag)->given = true;
  if (Assign((*flag)->target, value)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--", parts.first, " is \"",
                                                 value, "\"; it must be ",
                                                 Kind((*flag)->target)));
}

bool FlagSet::Given(absl::string_view name) const {
  auto flag = flags_.find(name);
  return flag != flags_.end() && flag->second.given;
}

std::string FlagSet::Help() const {
  std::string text;
  for (const auto& [name, flag] : flags_) {
    std::string help = flag.help;
    if (!flag.default_value.empty() && flag.default_value != "false") {
      absl::StrAppend(&help, " (default: ", flag.default_value, ")");
    }
    const std::string indent =
        absl::StrCat("\n", std::string(kHelpColumn, ' '));
    absl::StrAppend(&text, absl::StrFormat("  --%-*s", kHelpColumn - 4, name),
                    absl::StrReplaceAll(help, {{"\n", indent}}), "\n");
  }
  return text;
}

}  // namespace qvg
