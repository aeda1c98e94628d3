#include "server/byte_size.h"

#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace qvg {
namespace {

TEST(ByteSize, IsReadAsPeopleWriteIt) {
  const std::pair<const char*, int64_t> sizes[] = {
      {"auto", 0},
      {"1", 1},
      {"4096", 4096},
      {"64KiB", int64_t{64} << 10},
      {"512MiB", int64_t{512} << 20},
      {"8GiB", int64_t{8} << 30},
      {"1TiB", int64_t{1} << 40}};
  for (const auto& [text, bytes] : sizes) {
    ByteSize size{-1};
    std::string error;
    EXPECT_TRUE(AbslParseFlag(text, &size, &error)) << text << ": " << error;
    EXPECT_EQ(size.bytes, bytes) << text;
    EXPECT_EQ(AbslUnparseFlag(size), bytes == 4096 ? "4KiB" : text);
  }
}

TEST(ByteSize, OtherTextIsRefusedWithAnExample) {
  for (const char* text : {"", "0", "-1", "8GB", "GiB", "1.5GiB", "8 GiB x",
                           "9223372036854775808", "8388608TiB", "0KiB"}) {
    ByteSize size{7};
    std::string error;
    EXPECT_FALSE(AbslParseFlag(text, &size, &error)) << text;
    EXPECT_NE(error.find("8GiB"), error.npos);
  }
}

}  // namespace
}  // namespace qvg
