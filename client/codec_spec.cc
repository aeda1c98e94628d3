#include "client/codec_spec.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace qvg {
namespace {

using google::protobuf::FieldDescriptor;

const FieldDescriptor* FindField(absl::string_view name) {
  const FieldDescriptor* field = v1::CacheSpec::descriptor()->FindFieldByName(
      absl::StrReplaceAll(name, {{"-", "_"}}));
  // The codec's name stands before the colon.
  return field != nullptr && field->number() > 1 ? field : nullptr;
}

std::string FieldNames() {
  std::vector<std::string> names;
  for (int i = 1; i < v1::CacheSpec::descriptor()->field_count(); ++i) {
    names.push_back(v1::CacheSpec::descriptor()->field(i)->name());
  }
  return absl::StrJoin(names, ", ");
}

// "f32" for ELEMENT_TYPE_F32.
std::string ShortName(const google::protobuf::EnumValueDescriptor& value) {
  return absl::AsciiStrToLower(
      absl::string_view(value.name()).substr(sizeof("ELEMENT_TYPE_") - 1));
}

absl::Status SetEnum(const FieldDescriptor* field, absl::string_view value,
                     v1::CacheSpec* spec) {
  for (int i = 1; i < field->enum_type()->value_count(); ++i) {
    const auto* known = field->enum_type()->value(i);
    if (ShortName(*known) != value) continue;
    spec->GetReflection()->SetEnum(spec, field, known);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("codec field ", field->name(),
                                                 " is \"", value,
                                                 "\"; it must be bf16 or f32"));
}

absl::Status SetField(absl::string_view item, v1::CacheSpec* spec) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(item, absl::MaxSplits('=', 1));
  const FieldDescriptor* field = FindField(parts.first);
  if (field == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "codec has no field \"", parts.first, "\"; fields are ", FieldNames()));
  }
  if (field->type() == FieldDescriptor::TYPE_ENUM) {
    return SetEnum(field, parts.second, spec);
  }
  uint32_t number = 0;
  if (!absl::SimpleAtoi(parts.second, &number)) {
    return absl::InvalidArgumentError(
        absl::StrCat("codec field ", field->name(), " is \"", parts.second,
                     "\"; it must be a number from 0"));
  }
  spec->GetReflection()->SetUInt32(spec, field, number);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::CacheSpec> ParseCodecSpec(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  v1::CacheSpec spec;
  spec.set_codec(std::string(parts.first));
  if (parts.first.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "codec is \"", text, "\"; it must be CODEC[:FIELD=VALUE,...]"));
  }
  if (!absl::StrContains(text, ':')) return spec;
  for (absl::string_view item : absl::StrSplit(parts.second, ',')) {
    if (absl::Status status = SetField(item, &spec); !status.ok()) {
      return status;
    }
  }
  return spec;
}

std::string CodecSpecText(const v1::CacheSpec& spec) {
  std::vector<std::string> fields;
  const auto* reflection = spec.GetReflection();
  for (int i = 1; i < spec.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = spec.GetDescriptor()->field(i);
    if (!reflection->HasField(spec, field)) continue;
    fields.push_back(
        absl::StrCat(field->name(), "=",
                     field->type() == FieldDescriptor::TYPE_ENUM
                         ? ShortName(*reflection->GetEnum(spec, field))
                         : absl::StrCat(reflection->GetUInt32(spec, field))));
  }
  return absl::StrCat(spec.codec(), fields.empty() ? "" : ":",
                      absl::StrJoin(fields, ","));
}

}  // namespace qvg
