#include "server/generator/checkpoint/dtype.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace qvg {
namespace {

TEST(DtypeTest, NamesReadBack) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(Dtype::kF64); ++i) {
    const Dtype dtype = static_cast<Dtype>(i);
    EXPECT_EQ(ParseDtype(ToString(dtype)), dtype);
    names.insert(ToString(dtype));
  }
  EXPECT_EQ(names.size(), 15u);
}

TEST(DtypeTest, SizesAreThoseOfTheNames) {
  EXPECT_EQ(ElementBytes(Dtype::kBool), 1);
  for (int i = 0; i <= static_cast<int>(Dtype::kF64); ++i) {
    const Dtype dtype = static_cast<Dtype>(i);
    if (dtype == Dtype::kBool) continue;
    std::string digits;
    for (const char c : std::string(ToString(dtype))) {
      if (c == '_') break;
      if (c >= '0' && c <= '9') digits.push_back(c);
    }
    if (dtype == Dtype::kBf16) digits = "16";
    EXPECT_EQ(ElementBytes(dtype) * 8, std::stoi(digits)) << ToString(dtype);
  }
}

TEST(DtypeTest, OtherNamesAreUnknown) {
  for (const char* name : {"", "f32", "F32 ", "F31", "F8_E8M0", "F4", "C64"}) {
    EXPECT_FALSE(ParseDtype(name).has_value()) << name;
  }
}

}  // namespace
}  // namespace qvg
