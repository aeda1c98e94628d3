#include "server/generator/checkpoint/safetensors_header.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Entry(absl::string_view name, absl::string_view dtype,
                  absl::string_view shape, absl::string_view offsets) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype,
                      "\",\"shape\":", shape, ",\"data_offsets\":", offsets,
                      "}");
}

TEST(SafetensorsHeaderTest, ReadsEntriesInTheOrderOfTheirData) {
  const auto header = ParseSafetensorsHeader(
      absl::StrCat("{", Entry("b", "BF16", "[2,3]", "[4,16]"), ",",
                   Entry("a", "F32", "[]", "[0,4]"), ",",
                   R"("__metadata__":{"k":"v"}})", "  "),
      16);
  ASSERT_TRUE(header.ok()) << header.status();
  ASSERT_EQ(header->entries.size(), 2u);
  EXPECT_EQ(header->entries[0].name, "a");
  EXPECT_THAT(header->entries[0].shape, IsEmpty());
  EXPECT_EQ(header->entries[1].name, "b");
  EXPECT_EQ(header->entries[1].dtype, Dtype::kBf16);
  EXPECT_THAT(header->entries[1].shape, ElementsAre(2, 3));
  EXPECT_EQ(header->entries[1].begin, 4);
  EXPECT_EQ(header->entries[1].end, 16);
  EXPECT_EQ(header->metadata.at("k"), "v");
}

TEST(SafetensorsHeaderTest, FieldsComeInAnyOrder) {
  const auto header = ParseSafetensorsHeader(
      R"({"a":{"data_offsets":[0,1],"shape":[1],"dtype":"U8"}})", 1);
  EXPECT_TRUE(header.ok()) << header.status();
}

TEST(SafetensorsHeaderTest, EmptyTensorsMayLieAnywhere) {
  const auto header = ParseSafetensorsHeader(
      absl::StrCat("{", Entry("x", "F32", "[0,5]", "[0,0]"), ",",
                   Entry("y", "U8", "[3]", "[0,3]"), ",",
                   Entry("z", "F64", "[7,0]", "[3,3]"), "}"),
      3);
  EXPECT_TRUE(header.ok()) << header.status();
}

struct BadHeader {
  std::string name;
  std::string json;
  std::string message;
};

class BadHeaderTest : public testing::TestWithParam<BadHeader> {};

TEST_P(BadHeaderTest, IsRefusedByName) {
  const auto header = ParseSafetensorsHeader(GetParam().json, 16);
  EXPECT_EQ(header.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(header.status().message()),
              HasSubstr(GetParam().message));
}

std::string One(absl::string_view dtype, absl::string_view shape,
                absl::string_view offsets) {
  return absl::StrCat("{", Entry("w", dtype, shape, offsets), "}");
}

const std::string kGood = Entry("w", "F32", "[4]", "[0,16]");

INSTANTIATE_TEST_SUITE_P(
    Json, BadHeaderTest,
    testing::Values(
        BadHeader{"Empty", "", "does not begin with '{'"},
        BadHeader{"ByteOrderMark", "\xef\xbb\xbf{" + kGood + "}", "begin"},
        BadHeader{"NulAfterTheEnd", "{" + kGood + "}" + std::string("\0x", 2),
                  "NUL byte"},
        BadHeader{"Rest", "{" + kGood + "} x", "no JSON at byte"},
        BadHeader{"Cut", "{" + kGood, "no JSON at byte"},
        BadHeader{"BadUtf8", "{\"\xc3\x28\":0}", "no JSON at byte"},
        BadHeader{"LoneSurrogate", "{\"\\ud800\":0}", "no JSON at byte"},
        BadHeader{"Deep", "{\"a\":" + std::string(100'000, '['),
                  "an array in place of an object"},
        BadHeader{"DeepObjects", "{\"a\":{\"b\":{\"c\":{",
                  "\"a\": unknown field \"b\""},
        BadHeader{"NoTensor", "{\"a\":7}", "a number in place of an object"},
        BadHeader{"Null", "{\"a\":null}", "null in place"}),
    [](const auto& param) { return param.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Fields, BadHeaderTest,
    testing::Values(
        BadHeader{"Unknown", R"({"w":{"type":"F32"}})",
                  "tensor \"w\": unknown field \"type\""},
        BadHeader{"Missing", R"({"w":{"dtype":"F32","shape":[4]}})",
                  "no data_offsets"},
        BadHeader{"NoShape", R"({"w":{"dtype":"F32","data_offsets":[0,1]}})",
                  "no shape"},
        BadHeader{"Twice", R"({"w":{"shape":[4],"shape":[4]}})",
                  "shape given twice"},
        BadHeader{"NameTwice", "{" + kGood + "," + kGood + "}",
                  "tensor \"w\": given twice"},
        BadHeader{"MetadataTwice", R"({"__metadata__":{"a":"","a":""}})",
                  "\"a\" given twice"},
        BadHeader{"MetadataNumber", R"({"__metadata__":{"a":1}})",
                  "a number in \"a\""},
        BadHeader{"Dtype", One("F31", "[4]", "[0,16]"),
                  "unknown dtype \"F31\""},
        BadHeader{"DtypeNumber", R"({"w":{"dtype":3}})", "number in \"dtype\""},
        BadHeader{"OneOffset", One("F32", "[4]", "[0]"), "not two"},
        BadHeader{"ThreeOffsets", One("F32", "[4]", "[0,16,16]"),
                  "more than 2 numbers"},
        BadHeader{"LongNamesAreCut",
                  R"({")" + std::string(5000, 'n') + R"(":1})",
                  std::string(100, 'n') + "...\""}),
    [](const auto& param) { return param.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Shapes, BadHeaderTest,
    testing::Values(
        BadHeader{"Negative", One("F32", "[-2,-2]", "[0,16]"),
                  "a negative number in \"shape\""},
        BadHeader{"Fraction", One("F32", "[2.5]", "[0,16]"),
                  "no 64-bit integer in \"shape\""},
        BadHeader{"Huge", One("F32", "[1e400]", "[0,16]"), "no JSON"},
        BadHeader{"Above63Bits", One("F32", "[9223372036854775808]", "[0,16]"),
                  "9223372036854775808 is too large"},
        BadHeader{"Rank", One("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"),
                  "more than 8 numbers"},
        BadHeader{"ProductWraps",
                  One("F32", "[4294967296,4294967296]", "[0,0]"),
                  "shape: too large"},
        BadHeader{"BytesWrap", One("F32", "[4611686018427387908]", "[0,16]"),
                  "shape: too large"},
        BadHeader{"Mismatch", One("F32", "[3]", "[0,16]"),
                  "takes 12 bytes, data_offsets 16"}),
    [](const auto& param) { return param.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Offsets, BadHeaderTest,
    testing::Values(
        BadHeader{"Reversed", One("F32", "[4]", "[16,0]"), "16 to 0"},
        BadHeader{"PastTheEnd", One("F32", "[5]", "[0,20]"),
                  "not within the 16 bytes"},
        BadHeader{"Above64Bits", One("F32", "[4]", "[0,18446744073709551632]"),
                  "no 64-bit integer"},
        BadHeader{"Rest", One("F32", "[2]", "[0,8]"),
                  "8 bytes after the last tensor"},
        BadHeader{"NotFromTheStart", One("F32", "[2]", "[8,16]"),
                  "begins at 8, must at 0"},
        BadHeader{"NoTensors", "{}", "16 bytes after the last tensor"},
        BadHeader{"Overlap",
                  absl::StrCat("{", Entry("a", "F32", "[3]", "[0,12]"), ",",
                               Entry("b", "F32", "[2]", "[8,16]"), "}"),
                  "tensor \"b\": data_offsets: begins at 8, must at 12"},
        BadHeader{"SameRange",
                  absl::StrCat("{", Entry("a", "F32", "[4]", "[0,16]"), ",",
                               Entry("b", "F32", "[4]", "[0,16]"), "}"),
                  "tensor \"b\": data_offsets: begins at 0, must at 16"}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace qvg
