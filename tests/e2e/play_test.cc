// One world played in every format, and again, and beside others: the frames
// are the same. What the other commands say about it.

#include <signal.h>

#include <filesystem>
#include <iterator>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/daemon.h"

namespace qvg::e2e {
namespace {

using testing::HasSubstr;
using Arguments = std::vector<std::string>;

constexpr int kFrames = 16;

class PlayTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { daemon_ = Daemon::Start(); }
  static void TearDownTestSuite() { daemon_.reset(); }
  void SetUp() override { ASSERT_NE(daemon_, nullptr); }

  static Arguments World(Arguments added = {}) {
    added.insert(added.end(), {absl::StrCat("--frames=", kFrames), "--seed=5",
                               "--script=forward*6,left*6"});
    return added;
  }

  static std::string Hash(Arguments added = {}) {
    return Text(daemon_->Play(World(std::move(added))), "frames_hash");
  }

  TempFolder folder_;
  static std::unique_ptr<Daemon> daemon_;
};

std::unique_ptr<Daemon> PlayTest::daemon_;

// Values of one entry of ffprobe, in order.
std::vector<std::string> Probe(const std::string& file,
                               const std::string& entries) {
  const Finished probe =
      RunProgram({"ffprobe", "-v", "error", "-select_streams", "v:0",
                  "-show_entries", entries, "-of", "csv=p=0", file});
  EXPECT_EQ(probe.exit_code, 0) << probe.err;
  EXPECT_EQ(probe.err, "");
  return absl::StrSplit(probe.out, absl::ByAnyChar("\n,"), absl::SkipEmpty());
}

TEST_F(PlayTest, SummaryHasItsFigures) {
  const auto summary = daemon_->Play(World());
  EXPECT_EQ(Number(summary, "frames"), kFrames);
  EXPECT_GT(Number(summary, "fps"), 0);
  EXPECT_GT(Number(summary, "first_frame_s"), 0);
  auto model = daemon_->client().FindModel("");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(summary.fields().at("chunk_s").list_value().values_size(),
            kFrames / model->frames_per_chunk());
  EXPECT_EQ(Text(summary, "frames_hash").size(), 64);
}

TEST_F(PlayTest, CacheIsAFractionOfItsBf16Bytes) {
  if (!HasRealModel()) GTEST_SKIP() << "this build has no model";
  auto model = daemon_->client().FindModel("");
  ASSERT_TRUE(model.ok()) << model.status();
  const std::map<std::string, double> least = {{"rtn", 6}, {"opq", 7}};
  for (const std::string& codec : model->codecs()) {
    const auto summary = daemon_->Play({"--frames=64", "--codec=" + codec});
    const auto ratio = least.find(codec);
    EXPECT_GE(Number(summary, "packed_span_ratio"),
              ratio == least.end() ? 1 : ratio->second)
        << codec;
    EXPECT_NEAR(
        Number(summary, "cache_ratio"),
        Number(summary, "cache_bytes_bf16") / Number(summary, "cache_bytes"),
        1e-3);
  }
}

TEST_F(PlayTest, Mp4SatisfiesFfprobe) {
  if (!Installed("ffprobe")) GTEST_SKIP() << "no ffprobe (package ffmpeg)";
  const std::string file = folder_ / "a.mp4";
  daemon_->Play(World({"--out=" + file, "--sheet=" + folder_ / "a.png"}));
  EXPECT_THAT(Probe(file, "stream=codec_name,profile,pix_fmt"),
              testing::ElementsAre("h264", "High", "yuv420p"));
  const auto times = Probe(file, "packet=pts_time");
  ASSERT_EQ(times.size(), kFrames);
  double last = -1;
  for (const std::string& text : times) {
    double seconds = 0;
    ASSERT_TRUE(absl::SimpleAtod(text, &seconds)) << text;
    EXPECT_GT(seconds, last);
    last = seconds;
  }
  EXPECT_EQ(Probe(folder_ / "a.png", "stream=codec_name").front(), "png");
}

TEST_F(PlayTest, FormatsShowTheSameFrames) {
  const std::string once = Hash({"--format=h264"});
  EXPECT_EQ(Hash({"--format=raw", "--out=" + folder_ / "a.rgb"}), once);
  EXPECT_EQ(Hash({"--format=jpeg", "--out=" + folder_ / "frames"}), once);
  auto model = daemon_->client().FindModel("");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(std::filesystem::file_size(folder_ / "a.rgb"),
            size_t{3} * kFrames * model->width() * model->height());
  const std::filesystem::directory_iterator files(folder_ / "frames"), end;
  EXPECT_EQ(std::distance(files, end), kFrames);
}

TEST_F(PlayTest, FramesDependOnSeedScriptStepsAndCodec) {
  const std::string once = Hash();
  EXPECT_EQ(Hash(), once);
  EXPECT_NE(Text(daemon_->Play(
                     {"--frames=16", "--seed=6", "--script=forward*6,left*6"}),
                 "frames_hash"),
            once);
  EXPECT_NE(Text(daemon_->Play(
                     {"--frames=16", "--seed=5", "--script=forward*6,idle*6"}),
                 "frames_hash"),
            once);
  if (HasRealModel()) {
    EXPECT_NE(Hash({"--steps=2"}), once);
  }
}

TEST_F(PlayTest, FramesAreTheSameBesideThreeOthers) {
  const std::string once = Hash();
  std::vector<std::unique_ptr<Process>> others;
  for (int i = 0; i < 3; ++i) {
    others.push_back(daemon_->StartQvg(
        {"play", "--quiet", "--frames=400", absl::StrCat("--seed=", i)}));
  }
  while (daemon_->Metric("qvg_sessions{state=\"active\"}") +
             daemon_->Metric("qvg_sessions{state=\"waiting\"}") <
         3) {
    ASSERT_FALSE(others[0]->Wait(absl::Milliseconds(20)).has_value());
  }
  EXPECT_EQ(Hash(), once);
  for (auto& other : others) other->Signal(SIGINT);
  for (auto& other : others) {
    auto finished = other->Wait(absl::Seconds(30));
    ASSERT_TRUE(finished.has_value());
    EXPECT_EQ(finished->exit_code, 130) << finished->err;
  }
}

TEST_F(PlayTest, FramesAreTheSameWithOneThread) {
  const std::string once = Hash();
  auto other = Daemon::Start({"--threads=1"});
  ASSERT_NE(other, nullptr);
  EXPECT_EQ(Text(other->Play(World()), "frames_hash"), once);
}

TEST_F(PlayTest, EveryCodecOfTheModelPlays) {
  auto model = daemon_->client().FindModel("");
  ASSERT_TRUE(model.ok()) << model.status();
  for (const std::string& codec : model->codecs()) {
    const auto summary = daemon_->Play({"--frames=8", "--codec=" + codec});
    EXPECT_EQ(Number(summary, "frames"), 8) << codec;
    EXPECT_THAT(Text(summary, "codec"), HasSubstr(codec));
  }
}

TEST_F(PlayTest, AnInterruptLeavesAWholeFile) {
  const std::string file = folder_ / "cut.mp4";
  auto play = daemon_->StartQvg({"play", "--frames=4000", "--out=" + file});
  while (ReadFile(file).empty()) {
    ASSERT_FALSE(play->Wait(absl::Milliseconds(20)).has_value());
  }
  play->Signal(SIGINT);
  auto finished = play->Wait(absl::Seconds(30));
  ASSERT_TRUE(finished.has_value());
  EXPECT_EQ(finished->exit_code, 130);
  EXPECT_THAT(finished->out, HasSubstr("interrupted"));
  if (Installed("ffprobe")) {
    EXPECT_GE(Probe(file, "packet=pts_time").size(), 4);
  }
}

TEST_F(PlayTest, CommandsTellWhatRuns) {
  EXPECT_THAT(daemon_->Qvg({"models"}).out, HasSubstr("controls"));
  EXPECT_THAT(daemon_->Qvg({"info"}).out, HasSubstr("qvgd "));
  auto play = daemon_->StartQvg({"play", "--frames=4000", "--quiet"});
  std::vector<std::string> rows;
  while (rows.size() < 2) {
    ASSERT_FALSE(play->Wait(absl::Milliseconds(20)).has_value());
    rows =
        absl::StrSplit(daemon_->Qvg({"sessions"}).out, '\n', absl::SkipEmpty());
  }
  const std::string id = rows[1].substr(0, rows[1].find(' '));
  EXPECT_EQ(daemon_->Qvg({"close", id}).exit_code, 0);
  auto finished = play->Wait(absl::Seconds(30));
  ASSERT_TRUE(finished.has_value());
  EXPECT_EQ(finished->exit_code, 1);
  EXPECT_THAT(finished->err, HasSubstr("ENDED_REASON_CLOSED"));
  EXPECT_EQ(daemon_->Qvg({"close", id}).exit_code, 1);
}

}  // namespace
}  // namespace qvg::e2e
