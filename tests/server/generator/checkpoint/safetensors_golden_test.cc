// Good and hostile files that other programs wrote, and random damage of them.

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cache/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/generator/checkpoint/safetensors.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kFolder = "tests/golden/checkpoints/";

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Entries with `tensors` load, entries with `error` do not.
std::vector<nlohmann::json> Entries(const std::string& kind) {
  std::vector<nlohmann::json> entries;
  const std::string text = ReadAll(kFolder + "manifest.json");
  const nlohmann::json manifest = nlohmann::json::parse(text);
  for (const nlohmann::json& entry : manifest["entries"]) {
    if (entry.contains(kind)) entries.push_back(entry);
  }
  return entries;
}

TEST(SafetensorsGoldenTest, GoodFilesHoldWhatTheyMust) {
  const std::vector<nlohmann::json> entries = Entries("tensors");
  ASSERT_EQ(entries.size(), 14u);
  for (const nlohmann::json& entry : entries) {
    const std::string path = kFolder + std::string(entry["file"]);
    SCOPED_TRACE(path);
    const auto file = SafetensorsFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    const nlohmann::json& tensors = entry["tensors"];
    EXPECT_EQ(file->contents().tensors.size(), tensors.size());
    for (const auto& [name, want] : tensors.items()) {
      SCOPED_TRACE(name);
      const StoredTensor* got = file->contents().Find(name);
      ASSERT_NE(got, nullptr);
      EXPECT_EQ(ToString(got->dtype), std::string(want["dtype"]));
      EXPECT_EQ(got->shape, want["shape"].get<std::vector<int64_t>>());
      EXPECT_EQ(Hex(Sha256(got->bytes)), std::string(want["sha256"]));
    }
  }
}

TEST(SafetensorsGoldenTest, BadFilesAreRefusedByName) {
  const std::vector<nlohmann::json> entries = Entries("error");
  ASSERT_EQ(entries.size(), 49u);
  for (const nlohmann::json& entry : entries) {
    const std::string path = kFolder + std::string(entry["file"]);
    SCOPED_TRACE(path);
    const auto file = SafetensorsFile::Open(path);
    EXPECT_EQ(file.status().code(), absl::StatusCode::kDataLoss);
    const std::string message(file.status().message());
    EXPECT_THAT(message, StartsWith(path + ": "));
    EXPECT_LT(message.size(), path.size() + 250);
    for (const char c : message) EXPECT_TRUE(c >= ' ' && c <= '~') << message;
  }
}

absl::Span<const uint8_t> AsBytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Whatever parses covers its data exactly, each byte once.
void ExpectSound(const std::string& file) {
  const auto parsed = ParseSafetensors(AsBytes(file));
  if (!parsed.ok()) {
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kDataLoss);
    return;
  }
  std::vector<std::pair<const uint8_t*, size_t>> ranges;
  for (const StoredTensor& tensor : parsed->tensors) {
    int64_t bytes = ElementBytes(tensor.dtype);
    for (const int64_t size : tensor.shape) bytes *= size;
    EXPECT_EQ(static_cast<int64_t>(tensor.bytes.size()), bytes);
    ranges.push_back({tensor.bytes.data(), tensor.bytes.size()});
  }
  std::sort(ranges.begin(), ranges.end());
  const absl::Span<const uint8_t> all = AsBytes(file);
  const uint8_t* end = all.data() + all.size();
  for (size_t i = ranges.size(); i > 0; --i) {
    EXPECT_EQ(ranges[i - 1].first + ranges[i - 1].second, end);
    end = ranges[i - 1].first;
  }
  EXPECT_GE(end, all.data() + 8);
}

// One random edit: of the length, of a byte, of a run of bytes, or of a number
// in the header.
std::string Damaged(std::string file, std::mt19937_64& random) {
  static const std::string kTokens[] = {"0",       "9223372036854775807",
                                        "{",       "]",
                                        "\"",      ",",
                                        ":",       "null",
                                        "-1",      "1e9",
                                        "\\u0000", "F64",
                                        "[",       "}",
                                        "\xff"};
  const auto at = [&] { return file.empty() ? 0 : random() % file.size(); };
  switch (random() % 5) {
    case 0:
      if (!file.empty())
        file[random() % std::min<size_t>(8, file.size())] ^=
            static_cast<char>(1 << random() % 8);
      break;
    case 1:
      if (!file.empty()) file[at()] = static_cast<char>(random());
      break;
    case 2:
      file.erase(at(), random() % 9);
      break;
    case 3:
      file.insert(at(), file.substr(at(), random() % 40));
      break;
    default:
      file.insert(at(), kTokens[random() % std::size(kTokens)]);
  }
  return file;
}

// An edit that keeps the length true to the header, so that it gets past it.
std::string WithTrueLength(std::string file, size_t grown) {
  if (file.size() < 8) return file;
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) {
    length = length << 8 | static_cast<uint8_t>(file[i]);
  }
  length += grown;
  for (int i = 0; i < 8; ++i) {
    file[i] = static_cast<char>(length >> (8 * i) & 0xff);
  }
  return file;
}

TEST(SafetensorsGoldenTest, DamagedFilesAreReadSoundlyOrRefused) {
  std::mt19937_64 random(5);
  for (const char* kind : {"tensors", "error"}) {
    for (const nlohmann::json& entry : Entries(kind)) {
      const std::string path = kFolder + std::string(entry["file"]);
      SCOPED_TRACE(path);
      const std::string original = ReadAll(path);
      if (original.size() > 20'500) continue;  // the deep and the wide ones
      for (int i = 0; i < 300; ++i) {
        std::string file = original;
        for (uint64_t edits = 1 + random() % 3; edits > 0; --edits) {
          file = Damaged(std::move(file), random);
        }
        ExpectSound(file);
        ExpectSound(WithTrueLength(file, file.size() - original.size()));
        ASSERT_FALSE(testing::Test::HasFailure()) << "round " << i;
      }
    }
  }
}

// Every place to cut a file is found.
TEST(SafetensorsGoldenTest, CutFilesAreRefused) {
  const std::string file = ReadAll(kFolder + "good/st_mixed.safetensors");
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(ParseSafetensors(AsBytes(file.substr(0, size))).ok()) << size;
  }
  EXPECT_TRUE(ParseSafetensors(AsBytes(file)).ok());
}

}  // namespace
}  // namespace qvg
