#include "server/generator/checkpoint/safetensors.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/generator/checkpoint/safetensors_header.h"

namespace qvg {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string TempPath(const std::string& name) {
  const testing::TestInfo* test =
      testing::UnitTest::GetInstance()->current_test_info();
  return testing::TempDir() + "/" + test->name() + "." +
         std::to_string(getpid()) + "." + name;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

absl::Span<const uint8_t> AsBytes(absl::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

StoredTensor Tensor(std::string name, Dtype dtype, std::vector<int64_t> shape,
                    absl::string_view bytes) {
  return {std::move(name), dtype, std::move(shape), AsBytes(bytes)};
}

std::vector<StoredTensor> SomeTensors() {
  return {Tensor("z.weight", Dtype::kF32, {2, 1}, "abcdefgh"),
          Tensor("a", Dtype::kU8, {3}, "xyz"),
          Tensor("m\"\\\n\u00e9", Dtype::kF64, {}, "12345678"),
          Tensor("empty", Dtype::kBf16, {0, 4}, "")};
}

TEST(SafetensorsFileTest, WhatIsWrittenReadsBack) {
  const std::string path = TempPath("st");
  const std::map<std::string, std::string> metadata = {{"recipe", "bh \"1\""}};
  ASSERT_TRUE(WriteSafetensors(path, SomeTensors(), metadata).ok());
  const auto opened = SafetensorsFile::Open(path);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const Safetensors& contents = opened->contents();
  EXPECT_EQ(contents.metadata, metadata);
  ASSERT_EQ(contents.tensors.size(), 4u);
  for (const StoredTensor& want : SomeTensors()) {
    const StoredTensor* got = contents.Find(want.name);
    ASSERT_NE(got, nullptr) << want.name;
    EXPECT_EQ(got->dtype, want.dtype);
    EXPECT_EQ(got->shape, want.shape);
    EXPECT_EQ(got->bytes, want.bytes);
  }
  EXPECT_EQ(contents.Find("b"), nullptr);
  EXPECT_EQ(contents.Find(""), nullptr);
  unlink(path.c_str());
}

TEST(SafetensorsFileTest, TensorsStartAtMultiplesOfTheirElements) {
  const std::string path = TempPath("st");
  ASSERT_TRUE(WriteSafetensors(path, SomeTensors()).ok());
  const auto opened = SafetensorsFile::Open(path);
  ASSERT_TRUE(opened.ok());
  for (const StoredTensor& tensor : opened->contents().tensors) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.bytes.data()) %
                  ElementBytes(tensor.dtype),
              0u)
        << tensor.name;
  }
  unlink(path.c_str());
}

TEST(SafetensorsFileTest, MovedFileKeepsItsBytes) {
  const std::string path = TempPath("st");
  ASSERT_TRUE(WriteSafetensors(path, SomeTensors()).ok());
  auto opened = SafetensorsFile::Open(path);
  ASSERT_TRUE(opened.ok());
  const SafetensorsFile moved = *std::move(opened);
  EXPECT_EQ(moved.contents().Find("a")->bytes, AsBytes("xyz"));
  unlink(path.c_str());
}

TEST(SafetensorsFileTest, OrderOfTensorsDoesNotChangeTheBytes) {
  std::vector<StoredTensor> tensors = SomeTensors();
  const std::string a = TempPath("a"), b = TempPath("b");
  ASSERT_TRUE(WriteSafetensors(a, tensors).ok());
  std::reverse(tensors.begin(), tensors.end());
  ASSERT_TRUE(WriteSafetensors(b, tensors).ok());
  EXPECT_EQ(ReadAll(a), ReadAll(b));
  EXPECT_FALSE(ReadAll(a).empty());
  unlink(a.c_str());
  unlink(b.c_str());
}

TEST(SafetensorsFileTest, FilesThatAreNoneAreNamed) {
  const auto missing = SafetensorsFile::Open("/no/such/file.safetensors");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()),
              HasSubstr("/no/such/file.safetensors"));

  const auto folder = SafetensorsFile::Open(testing::TempDir());
  EXPECT_EQ(folder.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(folder.status().message()),
              HasSubstr("not a regular file"));
}

TEST(SafetensorsFileTest, NamedPipeIsRefusedAtOnce) {
  const std::string path = TempPath("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(SafetensorsFile::Open(path).status().code(),
            absl::StatusCode::kInvalidArgument);
  unlink(path.c_str());
}

TEST(SafetensorsFileTest, DamageIsNamedWithItsFile) {
  const std::string path = TempPath("st");
  ASSERT_TRUE(WriteSafetensors(path, SomeTensors()).ok());
  ASSERT_EQ(
      truncate(path.c_str(), static_cast<off_t>(ReadAll(path).size()) - 1), 0);
  const auto opened = SafetensorsFile::Open(path);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(opened.status().message()),
              AllOf(HasSubstr(path), HasSubstr("data_offsets")));
  unlink(path.c_str());
}

std::string WithLength(uint64_t length, const std::string& rest) {
  std::string file;
  for (int i = 0; i < 8; ++i) {
    file.push_back(static_cast<char>(length >> (8 * i) & 0xff));
  }
  return file + rest;
}

TEST(ParseSafetensorsTest, LengthsThatCannotBeAreRefused) {
  for (const uint64_t length :
       {uint64_t{3}, uint64_t{1} << 63, ~uint64_t{0}, ~uint64_t{0} - 7}) {
    const auto parsed = ParseSafetensors(AsBytes(WithLength(length, "{}")));
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(parsed.status().message()),
                HasSubstr("header length: " + std::to_string(length)));
  }
  EXPECT_TRUE(ParseSafetensors(AsBytes(WithLength(2, "{}"))).ok());
}

TEST(ParseSafetensorsTest, HugeHeaderIsRefusedWhateverItSays) {
  const std::string header =
      "{}" + std::string(SafetensorsHeader::kMaxBytes - 1, ' ');
  const std::string file = WithLength(header.size(), header);
  EXPECT_THAT(std::string(ParseSafetensors(AsBytes(file)).status().message()),
              HasSubstr("at most 16777216"));
}

struct BadWrite {
  std::vector<StoredTensor> tensors;
  std::map<std::string, std::string> metadata;
  std::string message;
};

TEST(WriteSafetensorsTest, BadTensorsAreRefusedAndNothingIsWritten) {
  const BadWrite kCases[] = {
      {{Tensor("a", Dtype::kU8, {1}, "x"), Tensor("a", Dtype::kU8, {1}, "y")},
       {},
       "\"a\": given twice"},
      {{Tensor("a", Dtype::kF32, {2}, "abc")}, {}, "takes 8 bytes"},
      {{Tensor("a", Dtype::kU8, {-1}, "")}, {}, "a negative number"},
      {{Tensor("\xff", Dtype::kU8, {1}, "x")}, {}, "no UTF-8"},
      {{Tensor("a", Dtype::kU8, {1}, "x")}, {{"k", "\xc3"}}, "no UTF-8"},
      {{Tensor("__metadata__", Dtype::kU8, {1}, "x")}, {}, "__metadata__"},
  };
  const std::string path = TempPath("st");
  for (const BadWrite& c : kCases) {
    const absl::Status status = WriteSafetensors(path, c.tensors, c.metadata);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
    EXPECT_NE(access(path.c_str(), F_OK), 0);
    EXPECT_NE(access((path + ".partial").c_str(), F_OK), 0);
  }
}

TEST(WriteSafetensorsTest, FolderThatIsMissingIsNamed) {
  const absl::Status status =
      WriteSafetensors("/no/such/folder/file", SomeTensors());
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/folder/file"));
}

TEST(WriteSafetensorsTest, ReplacesTheOldFileAtOnce) {
  const std::string path = TempPath("st");
  ASSERT_TRUE(WriteSafetensors(path, SomeTensors()).ok());
  const auto old = SafetensorsFile::Open(path);
  ASSERT_TRUE(old.ok());
  ASSERT_TRUE(WriteSafetensors(path, {Tensor("n", Dtype::kU8, {1}, "n")}).ok());
  // Who has the old file open still reads it.
  EXPECT_EQ(old->contents().Find("a")->bytes, AsBytes("xyz"));
  EXPECT_NE(SafetensorsFile::Open(path)->contents().Find("n"), nullptr);
  EXPECT_NE(access((path + ".partial").c_str(), F_OK), 0);
  unlink(path.c_str());
}

}  // namespace
}  // namespace qvg
