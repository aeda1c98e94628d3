#include "client/flags.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FlagsTest : public testing::Test {
 protected:
  FlagsTest() {
    flags_.Add("name", &name_, "a text");
    flags_.Add("sheet-frames", &frames_, "a number");
    flags_.Add("seed", &seed_, "a seed");
    flags_.Add("rate", &rate_, "a rate");
    flags_.Add("json", &json_, "a switch,\nover two lines");
  }

  std::string name_ = "x";
  int frames_ = 20;
  uint64_t seed_ = 0;
  double rate_ = 1.5;
  bool json_ = false;
  FlagSet flags_;
};

TEST_F(FlagsTest, ReadsBothForms) {
  auto rest = flags_.Parse({"--name=a=b", "--sheet-frames", "-3", "--json",
                            "--seed", "18446744073709551615", "--rate=2"});
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_THAT(*rest, IsEmpty());
  EXPECT_EQ(name_, "a=b");
  EXPECT_EQ(frames_, -3);
  EXPECT_EQ(seed_, 18446744073709551615u);
  EXPECT_EQ(rate_, 2.0);
  EXPECT_TRUE(json_);
}

TEST_F(FlagsTest, UnderscoresAreHyphens) {
  ASSERT_TRUE(flags_.Parse({"--sheet_frames=7"}).ok());
  EXPECT_EQ(frames_, 7);
  EXPECT_TRUE(flags_.Given("sheet-frames"));
}

TEST_F(FlagsTest, SingleHyphensAreFlagsToo) {
  ASSERT_TRUE(flags_.Parse({"-json", "-name", "y"}).ok());
  EXPECT_TRUE(json_);
  EXPECT_EQ(name_, "y");
}

TEST_F(FlagsTest, KeepsDefaults) {
  ASSERT_TRUE(flags_.Parse({}).ok());
  EXPECT_EQ(name_, "x");
  EXPECT_EQ(frames_, 20);
  EXPECT_FALSE(flags_.Given("name"));
}

TEST_F(FlagsTest, ReturnsWhatIsNoFlag) {
  auto rest = flags_.Parse({"one", "--json", "two", "-", "--", "--name"});
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_THAT(*rest, ElementsAre("one", "two", "-", "--name"));
}

TEST_F(FlagsTest, ABoolTakesAValueOnlyAfterEquals) {
  auto rest = flags_.Parse({"--json=false", "--json", "false"});
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_TRUE(json_);
  EXPECT_THAT(*rest, ElementsAre("false"));
}

TEST_F(FlagsTest, AnEmptyValueIsAValue) {
  ASSERT_TRUE(flags_.Parse({"--name="}).ok());
  EXPECT_EQ(name_, "");
  EXPECT_TRUE(flags_.Given("name"));
}

struct Bad {
  const char* argument;
  const char* message;
};

class BadFlagTest : public FlagsTest,
                    public testing::WithParamInterface<Bad> {};

TEST_P(BadFlagTest, IsNamed) {
  auto rest = flags_.Parse({GetParam().argument});
  EXPECT_EQ(rest.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(rest.status().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Arguments, BadFlagTest,
    testing::Values(Bad{"--nam=1", "unknown flag --nam"},
                    Bad{"--names", "unknown flag --names"},
                    Bad{"-x", "unknown flag --x"},
                    Bad{"--name", "--name needs a value"},
                    Bad{"--sheet_frames=many", "it must be a number"},
                    Bad{"--sheet_frames=99999999999", "it must be a number"},
                    Bad{"--sheet_frames=1.5", "it must be a number"},
                    Bad{"--seed=-1", "a number from 0"},
                    Bad{"--rate=nan", "it must be a number"},
                    Bad{"--rate=inf", "it must be a number"},
                    Bad{"--json=maybe", "true or false"}));

TEST_F(FlagsTest, HelpShowsEveryFlagWithItsDefault) {
  ASSERT_TRUE(flags_.Parse({"--name=changed"}).ok());
  const std::string help = flags_.Help();
  EXPECT_THAT(help, HasSubstr("--sheet-frames"));
  EXPECT_THAT(help, HasSubstr("a text (default: x)"));
  EXPECT_THAT(help, HasSubstr("a number (default: 20)"));
  EXPECT_THAT(help, HasSubstr("a switch,\n                        over two"));
}

}  // namespace
}  // namespace qvg
