#include "client/script.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using testing::HasSubstr;

std::string Show(const std::vector<v1::Control>& script) {
  std::string text;
  for (const v1::Control& control : script) {
    text += control.name() + "*" + std::to_string(control.frames()) + ",";
  }
  return text;
}

TEST(ParseScript, ReadsControlsInOrder) {
  auto script = ParseScript("forward*40,left*32,idle,turn_left*1");
  ASSERT_TRUE(script.ok()) << script.status();
  EXPECT_EQ(Show(*script), "forward*40,left*32,idle*1,turn_left*1,");
  EXPECT_EQ(ScriptFrames(*script), 74);
}

TEST(ParseScript, SpacesDoNotMatter) {
  auto script = ParseScript("  forward * 4 ,\tleft ");
  ASSERT_TRUE(script.ok()) << script.status();
  EXPECT_EQ(Show(*script), "forward*4,left*1,");
}

TEST(ParseScript, NothingIsAnEmptyScript) {
  for (const char* text : {"", "  ", "\n"}) {
    auto script = ParseScript(text);
    ASSERT_TRUE(script.ok()) << script.status();
    EXPECT_TRUE(script->empty());
    EXPECT_EQ(ScriptFrames(*script), 0);
  }
}

class BadScriptTest : public testing::TestWithParam<const char*> {};

TEST_P(BadScriptTest, IsRefused) {
  auto script = ParseScript(GetParam());
  EXPECT_EQ(script.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(script.status().message(), HasSubstr("script has \""));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BadScriptTest,
    testing::Values(",", "forward,", ",forward", "forward*0", "forward*-1",
                    "forward*", "forward*x", "*4", "forward*4*4",
                    "forward*99999999999", "forward*1000001", "fo rward*2",
                    "forward*1.5", "forward;left", "f\xc3\xb6r*2"));

TEST(TrimScript, CutsInTheMiddleOfAControl) {
  auto script = *ParseScript("forward*4,left*4,right*4");
  TrimScript(6, &script);
  EXPECT_EQ(Show(script), "forward*4,left*2,");
  TrimScript(4, &script);
  EXPECT_EQ(Show(script), "forward*4,");
  TrimScript(100, &script);
  EXPECT_EQ(Show(script), "forward*4,");
  TrimScript(0, &script);
  EXPECT_TRUE(script.empty());
}

}  // namespace
}  // namespace qvg
