// A session that was recorded gives the same frames again, on the same server
// and on another one.

#include <filesystem>
#include <fstream>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/daemon.h"

namespace qvg::e2e {
namespace {

using testing::HasSubstr;

// The only recording in a folder.
std::string OnlyFile(const std::string& folder) {
  std::string path;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    EXPECT_EQ(path, "") << "more than one recording";
    path = entry.path();
  }
  EXPECT_NE(path, "") << "no recording";
  return path;
}

TEST(RecordTest, RecordedSessionsReplay) {
  TempFolder folder;
  auto recording = Daemon::Start({"--record=" + folder.path()});
  ASSERT_NE(recording, nullptr);
  recording->Play(
      {"--frames=16", "--seed=4", "--script=left*3,forward*7,idle*2"});
  const std::string path = OnlyFile(folder.path());

  auto other = Daemon::Start();
  ASSERT_NE(other, nullptr);
  const Finished replay = other->Qvg({"replay", path, "--quiet"});
  EXPECT_EQ(replay.exit_code, 0) << replay.out << replay.err;
  EXPECT_THAT(replay.out, HasSubstr("4 chunks replayed, all frames equal"));

  // The recording of another walk: the frames differ from the first left on.
  std::string text = ReadFile(path);
  ASSERT_THAT(text, HasSubstr("\"left\""));
  std::ofstream(path) << absl::StrReplaceAll(text, {{"\"left\"", "\"idle\""}});
  const Finished changed = other->Qvg({"replay", path, "--quiet"});
  EXPECT_EQ(changed.exit_code, 3) << changed.out << changed.err;
  EXPECT_THAT(changed.out, HasSubstr("chunk 0 differs"));
}

}  // namespace
}  // namespace qvg::e2e
