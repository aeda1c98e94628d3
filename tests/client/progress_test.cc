#include "client/progress.h"

#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(BytesText, PicksTheUnit) {
  EXPECT_EQ(BytesText(0), "0 B");
  EXPECT_EQ(BytesText(1023), "1023 B");
  EXPECT_EQ(BytesText(1024), "1.0 KiB");
  EXPECT_EQ(BytesText(1536 * 1024), "1.5 MiB");
  EXPECT_EQ(BytesText(uint64_t{3} << 40), "3.0 TiB");
  EXPECT_EQ(BytesText(~uint64_t{0}), "16777216.0 TiB");
}

TEST(ProgressLine, ShowsFramesRateAndCache) {
  const Progress half = {80, 160, 5.0, 1 << 20, 7 << 20};
  EXPECT_EQ(ProgressLine(half),
            "[############------------]   80/160 frames   16.0 fps  "
            "cache 1.0 MiB (7.0x)");
}

TEST(ProgressLine, StandsTheEdges) {
  EXPECT_THAT(ProgressLine({}), HasSubstr("0/0 frames    0.0 fps"));
  EXPECT_THAT(ProgressLine({}), Not(HasSubstr("cache")));
  EXPECT_THAT(ProgressLine({200, 160, 1, 0, 0}),
              HasSubstr("[########################]"));
}

// What a bar writes while `steps` chunks of 10 frames come in.
std::string Shown(bool terminal, int steps) {
  char* text = nullptr;
  size_t size = 0;
  FILE* out = open_memstream(&text, &size);
  ProgressBar bar(out, terminal);
  for (int i = 1; i <= steps; ++i) {
    bar.Update({10u * i, 10u * steps, 1.0 * i, 1000, 7000});
  }
  bar.Finish();
  std::fclose(out);
  std::string shown(text, size);
  std::free(text);
  return shown;
}

TEST(ProgressBar, WritesOverItselfOnATerminal) {
  const std::string shown = Shown(true, 8);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\r'), 8);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), 1);
  EXPECT_EQ(shown.back(), '\n');
}

TEST(ProgressBar, WritesALinePerQuarterElsewhere) {
  const std::string shown = Shown(false, 16);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), 4);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\r'), 0);
  EXPECT_THAT(shown, HasSubstr("160/160"));
}

}  // namespace
}  // namespace qvg
