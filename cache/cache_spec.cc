#include "cache/cache_spec.h"

#include <array>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace qvg {
namespace {

// The fields that are numbers, in the order of ToString().
struct Field {
  absl::string_view name;
  int CacheSpec::*member;
  int unset;
};

constexpr std::array<Field, 8> kFields = {{
    {"bits", &CacheSpec::bits, 0},
    {"block", &CacheSpec::block, 0},
    {"centroids", &CacheSpec::centroids, 0},
    {"stages", &CacheSpec::stages, 0},
    {"iterations", &CacheSpec::iterations, 0},
    {"span_chunks", &CacheSpec::span_chunks, 0},
    {"tail_chunks", &CacheSpec::tail_chunks, -1},
    {"sink_chunks", &CacheSpec::sink_chunks, -1},
}};

constexpr absl::string_view kUnpacked = "unpacked";

const Field* FindField(absl::string_view name) {
  for (const Field& field : kFields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::string FieldNames() {
  std::string names;
  for (const Field& field : kFields) absl::StrAppend(&names, field.name, ", ");
  return absl::StrCat(names, kUnpacked);
}

absl::Status SetNumber(const Field& field, absl::string_view value,
                       CacheSpec* spec) {
  int number = 0;
  const int lowest = field.unset + 1;
  if (!absl::SimpleAtoi(value, &number) || number < lowest) {
    return absl::InvalidArgumentError(
        absl::StrCat("cache_spec.", field.name, ": '", value,
                     "'; must be a number of at least ", lowest));
  }
  spec->*field.member = number;
  return absl::OkStatus();
}

absl::Status SetUnpacked(absl::string_view value, CacheSpec* spec) {
  if (value != "bf16" && value != "f32") {
    return absl::InvalidArgumentError(absl::StrCat(
        "cache_spec.unpacked: '", value, "'; must be bf16 or f32"));
  }
  spec->unpacked = value == "f32" ? ElementType::kF32 : ElementType::kBf16;
  return absl::OkStatus();
}

absl::Status SetField(absl::string_view name, absl::string_view value,
                      CacheSpec* spec) {
  if (name == kUnpacked) return SetUnpacked(value, spec);
  const Field* field = FindField(name);
  if (field != nullptr) return SetNumber(*field, value, spec);
  return absl::InvalidArgumentError(absl::StrCat(
      "cache_spec: unknown field '", name, "'; known: ", FieldNames()));
}

}  // namespace

absl::StatusOr<CacheSpec> ParseCacheSpec(absl::string_view text) {
  CacheSpec spec;
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  spec.codec = std::string(parts.first);
  if (spec.codec.empty()) {
    return absl::InvalidArgumentError("cache_spec: no codec before ':'");
  }
  if (parts.first.size() == text.size()) return spec;
  std::vector<absl::string_view> seen;
  for (absl::string_view item : absl::StrSplit(parts.second, ',')) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(item, absl::MaxSplits('=', 1));
    for (absl::string_view name : seen) {
      if (name != pair.first) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("cache_spec.", name, ": given twice"));
    }
    seen.push_back(pair.first);
    const absl::Status status = SetField(pair.first, pair.second, &spec);
    if (!status.ok()) return status;
  }
  return spec;
}

std::string ToString(const CacheSpec& spec) {
  std::string text = spec.codec;
  absl::string_view separator = ":";
  const auto append = [&](absl::string_view name, absl::string_view value) {
    absl::StrAppend(&text, separator, name, "=", value);
    separator = ",";
  };
  for (const Field& field : kFields) {
    const int value = spec.*field.member;
    if (value != field.unset) append(field.name, absl::StrCat(value));
  }
  if (spec.unpacked == ElementType::kF32) append(kUnpacked, "f32");
  return text;
}

}  // namespace qvg
