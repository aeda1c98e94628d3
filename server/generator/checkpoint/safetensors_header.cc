#include "server/generator/checkpoint/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace qvg {
namespace {

std::string Quoted(absl::string_view name) {
  constexpr size_t kLongest = 100;
  return absl::StrCat("\"", absl::CHexEscape(name.substr(0, kLongest)),
                      name.size() > kLongest ? "..." : "", "\"");
}

// The entry under construction.
struct Draft {
  std::string name;
  std::optional<Dtype> dtype;
  std::optional<std::vector<int64_t>> shape;
  std::optional<std::vector<int64_t>> offsets;
};

// Takes the parser's events; false from any of them ends the parse.
class Reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  SafetensorsHeader header;
  absl::Status status;

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("true or false"); }
  bool number_integer(number_integer_t) override {
    return Unexpected("a negative number");
  }
  bool number_float(number_float_t, const string_t&) override {
    return Unexpected("a number that is no 64-bit integer");
  }
  bool binary(binary_t&) override { return Unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::kShape) return Push(value, *draft_.shape, kMaxRank);
    if (place_ == Place::kOffsets) return Push(value, *draft_.offsets, 2);
    return Unexpected("a number");
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) {
      header.metadata[key_] = value;
      return true;
    }
    if (place_ != Place::kEntry || key_ != "dtype") {
      return Unexpected("a string");
    }
    draft_.dtype = ParseDtype(value);
    return draft_.dtype.has_value() ||
           Fail(absl::StrCat("unknown dtype ", Quoted(value)));
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::kStart) {
      place_ = Place::kNames;
    } else if (place_ == Place::kNames) {
      place_ = key_ == "__metadata__" ? Place::kMetadata : Place::kEntry;
      draft_ = Draft{.name = key_, .dtype = {}, .shape = {}, .offsets = {}};
    } else {
      return Unexpected("an object");
    }
    return true;
  }

  bool key(string_t& name) override {
    key_ = name;
    if (place_ == Place::kNames) {
      draft_.name = name;
      return names_.insert(name).second || Fail("given twice");
    }
    if (place_ == Place::kMetadata) {
      return header.metadata.emplace(name, "").second ||
             Fail(absl::StrCat(Quoted(name), " given twice"));
    }
    return EntryField();
  }

  bool end_object() override {
    if (place_ == Place::kEntry && !FinishEntry()) return false;
    place_ = place_ == Place::kNames ? Place::kEnd : Place::kNames;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::kEntry && key_ == "shape") {
      place_ = Place::kShape;
      draft_.shape.emplace();
    } else if (place_ == Place::kEntry && key_ == "data_offsets") {
      place_ = Place::kOffsets;
      draft_.offsets.emplace();
    } else {
      return Unexpected("an array");
    }
    return true;
  }

  bool end_array() override {
    place_ = Place::kEntry;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    status =
        absl::DataLossError(absl::StrCat("header: no JSON at byte ", position));
    return false;
  }

 private:
  enum class Place {
    kStart,
    kNames,
    kEntry,
    kShape,
    kOffsets,
    kMetadata,
    kEnd
  };
  static constexpr size_t kMaxRank = SafetensorsHeader::kMaxRank;

  bool Fail(absl::string_view what) {
    const bool inside = place_ != Place::kStart && place_ != Place::kEnd;
    status = absl::DataLossError(
        inside ? absl::StrCat("tensor ", Quoted(draft_.name), ": ", what)
               : absl::StrCat("header: ", what));
    return false;
  }

  bool Unexpected(absl::string_view what) {
    const bool keyed = place_ != Place::kStart && place_ != Place::kNames;
    return Fail(keyed ? absl::StrCat(what, " in ", Quoted(key_))
                      : absl::StrCat(what, " in place of an object"));
  }

  bool Push(uint64_t value, std::vector<int64_t>& values, size_t most) {
    if (values.size() == most) {
      return Fail(absl::StrCat(key_, ": more than ", most, " numbers"));
    }
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Fail(absl::StrCat(key_, ": ", value, " is too large"));
    }
    values.push_back(static_cast<int64_t>(value));
    return true;
  }

  // A field of an entry begins: known, and not given before.
  bool EntryField() {
    const bool known =
        key_ == "dtype" || key_ == "shape" || key_ == "data_offsets";
    if (!known) return Fail(absl::StrCat("unknown field ", Quoted(key_)));
    const bool given = key_ == "dtype"   ? draft_.dtype.has_value()
                       : key_ == "shape" ? draft_.shape.has_value()
                                         : draft_.offsets.has_value();
    return !given || Fail(absl::StrCat(key_, " given twice"));
  }

  bool FinishEntry() {
    if (!draft_.dtype) return Fail("no dtype");
    if (!draft_.shape) return Fail("no shape");
    if (!draft_.offsets) return Fail("no data_offsets");
    if (draft_.offsets->size() != 2) return Fail("data_offsets: not two");
    header.entries.push_back({std::move(draft_.name), *draft_.dtype,
                              *std::move(draft_.shape), (*draft_.offsets)[0],
                              (*draft_.offsets)[1]});
    return true;
  }

  Place place_ = Place::kStart;
  std::string key_;  // the last one read
  Draft draft_;
  absl::flat_hash_set<std::string> names_;
};

absl::Status EntryError(const SafetensorsEntry& entry, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("tensor ", Quoted(entry.name), ": ", what));
}

// Bytes of a tensor of this shape; nothing when they do not fit 63 bits.
std::optional<int64_t> ShapeBytes(const SafetensorsEntry& entry) {
  int64_t bytes = ElementBytes(entry.dtype);
  for (const int64_t size : entry.shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return std::nullopt;
  }
  return bytes;
}

absl::Status CheckEntry(const SafetensorsEntry& entry, int64_t data_bytes) {
  const std::optional<int64_t> bytes = ShapeBytes(entry);
  if (!bytes.has_value()) return EntryError(entry, "shape: too large");
  if (entry.begin > entry.end || entry.end > data_bytes) {
    return EntryError(entry, absl::StrCat("data_offsets: ", entry.begin, " to ",
                                          entry.end, " is not within the ",
                                          data_bytes, " bytes of data"));
  }
  if (*bytes != entry.end - entry.begin) {
    return EntryError(
        entry, absl::StrCat("shape: takes ", *bytes, " bytes, data_offsets ",
                            entry.end - entry.begin));
  }
  return absl::OkStatus();
}

absl::Status CheckLayout(const SafetensorsHeader& header, int64_t data_bytes) {
  int64_t next = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    absl::Status status = CheckEntry(entry, data_bytes);
    if (!status.ok()) return status;
    if (entry.begin != next) {
      return EntryError(entry, absl::StrCat("data_offsets: begins at ",
                                            entry.begin, ", must at ", next));
    }
    next = entry.end;
  }
  if (next == data_bytes) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("data: ", data_bytes - next,
                                          " bytes after the last tensor"));
}

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view json,
                                                         int64_t data_bytes) {
  // The JSON parser skips a byte order mark and stops at a NUL.
  if (json.empty() || json.front() != '{') {
    return absl::DataLossError("header: does not begin with '{'");
  }
  if (json.find('\0') != absl::string_view::npos) {
    return absl::DataLossError("header: holds a NUL byte");
  }
  Reader reader;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) {
    return reader.status;
  }
  std::sort(reader.header.entries.begin(), reader.header.entries.end(),
            [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
              return std::tie(a.begin, a.end, a.name) <
                     std::tie(b.begin, b.end, b.name);
            });
  absl::Status status = CheckLayout(reader.header, data_bytes);
  if (!status.ok()) return status;
  return std::move(reader.header);
}

}  // namespace qvg
