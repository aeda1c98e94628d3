#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/media/media_encoder.h"
#include "tests/server/media/decode.h"

namespace qvg {
namespace {

constexpr int kSide = 128;
constexpr int kChunkFrames = 4;

MediaSpec Spec(MediaFormat format) {
  MediaSpec spec;
  spec.format = format;
  spec.width = spec.height = kSide;
  spec.fps_numerator = 16;
  return spec;
}

std::vector<uint8_t> Chunk(int first_frame, int frames = kChunkFrames) {
  std::vector<uint8_t> rgb;
  for (int i = 0; i < frames; ++i) {
    const auto picture = TestPicture(kSide, kSide, first_frame + i);
    rgb.insert(rgb.end(), picture.begin(), picture.end());
  }
  return rgb;
}

struct Movie {
  std::string init;
  std::vector<std::string> chunks;

  std::string File() const {
    std::string file = init;
    for (const std::string& chunk : chunks) file += chunk;
    return file;
  }
};

Movie EncodeMovie(const MediaSpec& spec, int chunks) {
  Movie movie;
  auto encoder = NewMediaEncoder(spec);
  EXPECT_TRUE(encoder.ok()) << encoder.status();
  movie.init = std::string((*encoder)->InitSegment());
  for (int i = 0; i < chunks; ++i) {
    auto units = (*encoder)->Encode(Chunk(i * kChunkFrames));
    EXPECT_TRUE(units.ok()) << units.status();
    EXPECT_EQ(units->size(), 1);
    movie.chunks.push_back(units->front().data);
  }
  return movie;
}

TEST(H264Encoder, IsOneInitSegmentAndOneFragmentPerChunk) {
  const Movie movie = EncodeMovie(Spec(MediaFormat::kH264Fmp4), 3);
  EXPECT_EQ(TopLevelBoxes(movie.init), "ftyp moov");
  for (const std::string& chunk : movie.chunks) {
    EXPECT_EQ(TopLevelBoxes(chunk), "moof mdat");
  }
}

TEST(H264Encoder, HasEveryFrameAtItsTime) {
  const Movie movie = EncodeMovie(Spec(MediaFormat::kH264Fmp4), 5);
  const auto frames = DecodeMedia(movie.File());
  ASSERT_EQ(frames.size(), 5 * kChunkFrames);
  for (size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(frames[i].width, kSide);
    EXPECT_EQ(frames[i].height, kSide);
    EXPECT_NEAR(frames[i].seconds, i / 16.0, 1e-4);
    EXPECT_EQ(frames[i].key_frame, i % kChunkFrames == 0) << "frame " << i;
  }
}

TEST(H264Encoder, KeepsTimeAtFractionalRates) {
  MediaSpec spec = Spec(MediaFormat::kH264Fmp4);
  spec.fps_numerator = 30000;
  spec.fps_denominator = 1001;
  const auto frames = DecodeMedia(EncodeMovie(spec, 8).File());
  ASSERT_EQ(frames.size(), 8 * kChunkFrames);
  for (size_t i = 0; i < frames.size(); ++i) {
    EXPECT_NEAR(frames[i].seconds, i * 1001 / 30000.0, 1e-4);
  }
}

TEST(H264Encoder, EveryChunkDecodesAloneAndEqually) {
  const Movie movie = EncodeMovie(Spec(MediaFormat::kH264Fmp4), 4);
  const auto whole = DecodeMedia(movie.File());
  ASSERT_EQ(whole.size(), 4 * kChunkFrames);
  for (int c = 0; c < 4; ++c) {
    const auto alone = DecodeMedia(movie.init + movie.chunks[c]);
    ASSERT_EQ(alone.size(), kChunkFrames) << "chunk " << c;
    for (int i = 0; i < kChunkFrames; ++i) {
      EXPECT_EQ(alone[i].rgb, whole[c * kChunkFrames + i].rgb);
    }
  }
}

TEST(H264Encoder, LooksLikeItsInput) {
  const auto frames =
      DecodeMedia(EncodeMovie(Spec(MediaFormat::kH264Fmp4), 3).File());
  ASSERT_EQ(frames.size(), 3 * kChunkFrames);
  for (size_t i = 0; i < frames.size(); ++i) {
    EXPECT_GT(Psnr(frames[i].rgb, TestPicture(kSide, kSide, i)), 30.0);
  }
}

TEST(H264Encoder, SmallerCrfIsBetterAndLarger) {
  MediaSpec fine = Spec(MediaFormat::kH264Fmp4), coarse = fine;
  fine.h264_crf = 10;
  coarse.h264_crf = 40;
  const std::string a = EncodeMovie(fine, 2).File();
  const std::string b = EncodeMovie(coarse, 2).File();
  EXPECT_GT(a.size(), b.size());
  const auto picture = TestPicture(kSide, kSide, 0);
  EXPECT_GT(Psnr(DecodeMedia(a)[0].rgb, picture),
            Psnr(DecodeMedia(b)[0].rgb, picture));
}

TEST(H264Encoder, TakesChunksOfAnyLength) {
  auto encoder = NewMediaEncoder(Spec(MediaFormat::kH264Fmp4));
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  std::string file((*encoder)->InitSegment());
  int next = 0;
  for (int frames : {1, 7, 300, 2}) {
    auto units = (*encoder)->Encode(Chunk(next, frames));
    ASSERT_TRUE(units.ok()) << units.status();
    EXPECT_EQ(TopLevelBoxes(units->front().data), "moof mdat");
    file += units->front().data;
    next += frames;
  }
  const auto decoded = DecodeMedia(file);
  ASSERT_EQ(decoded.size(), 310);
  EXPECT_NEAR(decoded.back().seconds, 309 / 16.0, 1e-4);
}

// FFmpeg's vector code reads beyond the pixels it needs: behind these lies a
// page that must not be read.
TEST(H264Encoder, ReadsNothingBehindTheFrames) {
  const std::vector<uint8_t> chunk = Chunk(0);
  const size_t page = sysconf(_SC_PAGESIZE);
  const size_t pages = (chunk.size() + page - 1) / page * page;
  void* memory = mmap(nullptr, pages + page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  uint8_t* end = static_cast<uint8_t*>(memory) + pages;
  ASSERT_EQ(mprotect(end, page, PROT_NONE), 0);
  std::memcpy(end - chunk.size(), chunk.data(), chunk.size());
  for (MediaFormat format : {MediaFormat::kH264Fmp4, MediaFormat::kJpeg}) {
    auto encoder = NewMediaEncoder(Spec(format));
    ASSERT_TRUE(encoder.ok()) << encoder.status();
    EXPECT_TRUE(
        (*encoder)
            ->Encode(absl::MakeConstSpan(end - chunk.size(), chunk.size()))
            .ok());
  }
  munmap(memory, pages + page);
}

TEST(H264Encoder, GivesTheSameBytesBesideOthers) {
  const MediaSpec spec = Spec(MediaFormat::kH264Fmp4);
  const std::string alone = EncodeMovie(spec, 4).File();
  std::vector<std::string> files(3);
  std::vector<std::thread> threads;
  for (std::string& file : files) {
    threads.emplace_back([&] { file = EncodeMovie(spec, 4).File(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(files, testing::Each(alone));
}

// A copy that ends where no memory is.
class GuardedCopy {
 public:
  explicit GuardedCopy(const std::vector<uint8_t>& data) : size_(data.size()) {
    const size_t page = sysconf(_SC_PAGESIZE);
    mapped_ = (size_ + page - 1) / page * page + page;
    base_ = static_cast<uint8_t*>(mmap(nullptr, mapped_, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_ + mapped_ - page, page, PROT_NONE);
    begin_ = base_ + mapped_ - page - size_;
    std::copy(data.begin(), data.end(), begin_);
  }
  ~GuardedCopy() { munmap(base_, mapped_); }

  absl::Span<const uint8_t> span() const { return {begin_, size_}; }

 private:
  const size_t size_;
  size_t mapped_ = 0;
  uint8_t* base_ = nullptr;
  uint8_t* begin_ = nullptr;
};

// libswscale reads whole vectors.
TEST(FfmpegEncoders, ReadNothingBehindTheirInput) {
  for (MediaFormat format : {MediaFormat::kH264Fmp4, MediaFormat::kJpeg}) {
    for (int width : {kSide, 2, 18, 66}) {
      MediaSpec spec = Spec(format);
      spec.width = width;
      auto encoder = NewMediaEncoder(spec);
      ASSERT_TRUE(encoder.ok()) << encoder.status();
      const GuardedCopy input(TestPicture(width, kSide, 0));
      EXPECT_TRUE((*encoder)->Encode(input.span()).ok());
    }
  }
}

TEST(JpegEncoder, IsOneFilePerFrame) {
  auto encoder = NewMediaEncoder(Spec(MediaFormat::kJpeg));
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  EXPECT_EQ((*encoder)->InitSegment(), "");
  for (int chunk = 0; chunk < 2; ++chunk) {
    auto units = (*encoder)->Encode(Chunk(chunk * kChunkFrames));
    ASSERT_TRUE(units.ok()) << units.status();
    ASSERT_EQ(units->size(), kChunkFrames);
    for (int i = 0; i < kChunkFrames; ++i) {
      const MediaUnit& unit = (*units)[i];
      EXPECT_EQ(unit.frame_index, i);
      EXPECT_EQ(unit.data.substr(0, 2), "\xff\xd8");
      const auto frames = DecodeMedia(unit.data);
      ASSERT_EQ(frames.size(), 1);
      const int frame = chunk * kChunkFrames + i;
      EXPECT_GT(Psnr(frames[0].rgb, TestPicture(kSide, kSide, frame)), 38.0);
    }
  }
}

TEST(JpegEncoder, QualityTradesBytes) {
  size_t last = 0;
  for (int quality : {1, 30, 60, 90, 100}) {
    MediaSpec spec = Spec(MediaFormat::kJpeg);
    spec.jpeg_quality = quality;
    auto encoder = NewMediaEncoder(spec);
    ASSERT_TRUE(encoder.ok()) << encoder.status();
    const size_t bytes = (*encoder)->Encode(Chunk(0, 1))->front().data.size();
    EXPECT_GT(bytes, last) << "quality " << quality;
    last = bytes;
  }
}

TEST(JpegEncoder, TakesOddSizes) {
  MediaSpec spec = Spec(MediaFormat::kJpeg);
  spec.width = 67;
  spec.height = 33;
  auto encoder = NewMediaEncoder(spec);
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  auto units = (*encoder)->Encode(TestPicture(67, 33, 0));
  ASSERT_TRUE(units.ok()) << units.status();
  const auto frames = DecodeMedia(units->front().data);
  ASSERT_EQ(frames.size(), 1);
  EXPECT_EQ(frames[0].width, 67);
  EXPECT_EQ(frames[0].height, 33);
}

}  // namespace
}  // namespace qvg
