#include "server/log/log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

std::string Captured(const std::function<void()>& body) {
  ::testing::internal::CaptureStderr();
  body();
  return ::testing::internal::GetCapturedStderr();
}

TEST(Log, ALineHasLevelTimeAndMessage) {
  EXPECT_THAT(Captured([] { LogWarning("disk ", 3, " is full"); }),
              MatchesRegex("W [0-9-]+T[0-9:.]+Z disk 3 is full\n"));
}

TEST(Log, AMessageCannotForgeASecondLine) {
  EXPECT_THAT(Captured([] { LogInfo("a\nE forged\r\x1b[31m"); }),
              HasSubstr("a E forged  [31m\n"));
}

TEST(Log, WhatIsBelowTheLevelIsNotWritten) {
  SetLogLevel(LogLevel::kError);
  EXPECT_EQ(Captured([] { LogWarning("hidden"); }), "");
  EXPECT_THAT(Captured([] { LogError("shown"); }), HasSubstr("shown"));
  SetLogLevel(LogLevel::kInfo);
}

TEST(Log, LevelsAreParsedByName) {
  LogLevel level = LogLevel::kInfo;
  EXPECT_TRUE(ParseLogLevel("error", &level));
  EXPECT_EQ(level, LogLevel::kError);
  EXPECT_FALSE(ParseLogLevel("loud", &level));
  EXPECT_EQ(level, LogLevel::kError);
}

}  // namespace
}  // namespace qvg
