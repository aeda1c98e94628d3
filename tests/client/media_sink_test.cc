#include "client/media_sink.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using testing::HasSubstr;

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Chunk MakeChunk(uint64_t first_frame, std::vector<std::string> media) {
  Chunk chunk;
  chunk.done.set_first_frame(first_frame);
  for (const std::string& data : media) {
    chunk.media.push_back({static_cast<uint32_t>(chunk.media.size()), data});
  }
  return chunk;
}

class MediaSinkTest : public testing::Test {
 protected:
  MediaSinkTest() : folder_(testing::TempDir() + "/qvg_sink_XXXXXX") {
    folder_ = mkdtemp(folder_.data());
  }
  ~MediaSinkTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

TEST_F(MediaSinkTest, FileIsInitSegmentThenChunks) {
  const std::string path = folder_ + "/a.mp4";
  auto sink = OpenMediaSink(v1::OUTPUT_FORMAT_H264_FMP4, path);
  ASSERT_TRUE(sink.ok()) << sink.status();
  ASSERT_TRUE((*sink)->Write("INIT", MakeChunk(0, {"one"})).ok());
  EXPECT_EQ(ReadAll(path), "INITone");
  ASSERT_TRUE((*sink)->Write("INIT", MakeChunk(4, {"two"})).ok());
  ASSERT_TRUE((*sink)->Close().ok());
  EXPECT_EQ(ReadAll(path), "INITonetwo");
}

TEST_F(MediaSinkTest, FolderHasAFilePerFrame) {
  const std::string path = folder_ + "/deep/frames";
  auto sink = OpenMediaSink(v1::OUTPUT_FORMAT_JPEG, path);
  ASSERT_TRUE(sink.ok()) << sink.status();
  ASSERT_TRUE((*sink)->Write("", MakeChunk(8, {"a", "b"})).ok());
  ASSERT_TRUE((*sink)->Close().ok());
  EXPECT_EQ(ReadAll(path + "/frame_000008.jpg"), "a");
  EXPECT_EQ(ReadAll(path + "/frame_000009.jpg"), "b");
}

TEST_F(MediaSinkTest, NothingIsKeptWithoutAPath) {
  auto sink = OpenMediaSink(v1::OUTPUT_FORMAT_RAW_RGB24, "");
  ASSERT_TRUE(sink.ok());
  EXPECT_TRUE((*sink)->Write("", MakeChunk(0, {"x"})).ok());
  EXPECT_TRUE((*sink)->Close().ok());
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(MediaSinkTest, RefusesWhatCannotBeWritten) {
  std::ofstream(folder_ + "/file") << "x";
  for (const auto& [format, path] :
       {std::pair(v1::OUTPUT_FORMAT_H264_FMP4, folder_ + "/no/such/a.mp4"),
        std::pair(v1::OUTPUT_FORMAT_RAW_RGB24, folder_),
        std::pair(v1::OUTPUT_FORMAT_JPEG, folder_ + "/file")}) {
    auto sink = OpenMediaSink(format, path);
    EXPECT_EQ(sink.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(sink.status().message(), HasSubstr("--out is \"" + path));
  }
}

TEST_F(MediaSinkTest, TellsThatTheDiskIsFull) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  auto sink = OpenMediaSink(v1::OUTPUT_FORMAT_RAW_RGB24, "/dev/full");
  ASSERT_TRUE(sink.ok()) << sink.status();
  const absl::Status status = (*sink)->Write("", MakeChunk(0, {"data"}));
  EXPECT_THAT(status.message(), HasSubstr("No space left"));
}

}  // namespace
}  // namespace qvg
