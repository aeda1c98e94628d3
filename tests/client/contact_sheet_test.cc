#include "client/contact_sheet.h"

#include <cstdlib>

#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace qvg {
namespace {

constexpr int kFrames = FakeServer::kChunkFrames;
constexpr int kWidth = FakeServer::kWidth;
constexpr int kHeight = FakeServer::kHeight;

v1::Started MakeStarted(v1::OutputFormat format) {
  v1::Started started;
  started.set_output_format(format);
  started.set_width(kWidth);
  started.set_height(kHeight);
  return started;
}

// `chunks` chunks of the fake server's pictures.
struct Recorded {
  std::string init;
  std::vector<Chunk> chunks;
};

Recorded Record(MediaFormat format, int chunks) {
  MediaSpec spec;
  spec.format = format;
  spec.width = kWidth;
  spec.height = kHeight;
  spec.fps_numerator = 16;
  auto encoder = NewMediaEncoder(spec);
  EXPECT_TRUE(encoder.ok()) << encoder.status();
  Recorded recorded{std::string((*encoder)->InitSegment()), {}};
  for (int c = 0; c < chunks; ++c) {
    std::vector<uint8_t> rgb;
    for (int i = 0; i < kFrames; ++i) {
      const auto frame = FakeServer::Frame(0, c * kFrames + i, "left");
      rgb.insert(rgb.end(), frame.begin(), frame.end());
    }
    Chunk chunk;
    chunk.done.set_chunk_index(c);
    chunk.done.set_first_frame(c * kFrames);
    chunk.done.set_frames(kFrames);
    auto units = (*encoder)->Encode(rgb);
    EXPECT_TRUE(units.ok()) << units.status();
    for (MediaUnit& unit : *units) {
      chunk.media.push_back(
          {static_cast<uint32_t>(unit.frame_index), std::move(unit.data)});
    }
    recorded.chunks.push_back(std::move(chunk));
  }
  return recorded;
}

// Largest difference of a channel between the sheet at cell (column, row) and
// frame `frame`.
int CellError(const Picture& sheet, int column, int row, int frame) {
  const auto expected = FakeServer::Frame(0, frame, "left");
  int error = 0;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < 3 * kWidth; ++x) {
      const size_t at =
          3 * (size_t{1} * (row * (kHeight + 2) + y) * sheet.width +
               column * (kWidth + 2)) +
          x;
      error = std::max(error,
                       std::abs(sheet.rgb[at] - expected[3 * y * kWidth + x]));
    }
  }
  return error;
}

class ContactSheetTest : public testing::TestWithParam<
                             std::tuple<v1::OutputFormat, MediaFormat, int>> {};

TEST_P(ContactSheetTest, ShowsEvenlySpacedFrames) {
  const auto& [wire, format, tolerance] = GetParam();
  const Recorded recorded = Record(format, 4);  // frames 0 to 15
  ContactSheet sheet(4, 16);                    // 0, 5, 10, 15
  for (const Chunk& chunk : recorded.chunks) sheet.Add(chunk);
  auto picture = sheet.Render(MakeStarted(wire), recorded.init);
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->width, 2 * kWidth + 2);
  EXPECT_EQ(picture->height, 2 * kHeight + 2);
  EXPECT_LE(CellError(*picture, 0, 0, 0), tolerance);
  EXPECT_LE(CellError(*picture, 1, 0, 5), tolerance);
  EXPECT_LE(CellError(*picture, 0, 1, 10), tolerance);
  EXPECT_LE(CellError(*picture, 1, 1, 15), tolerance);
  EXPECT_GT(CellError(*picture, 1, 1, 0), tolerance);
}

INSTANTIATE_TEST_SUITE_P(
    Formats, ContactSheetTest,
    testing::Values(
        std::tuple(v1::OUTPUT_FORMAT_RAW_RGB24, MediaFormat::kRawRgb24, 0),
        std::tuple(v1::OUTPUT_FORMAT_JPEG, MediaFormat::kJpeg, 20),
        std::tuple(v1::OUTPUT_FORMAT_H264_FMP4, MediaFormat::kH264Fmp4, 30)));

TEST(ContactSheet, WorksWithWhatCameBeforeAnInterrupt) {
  const Recorded recorded = Record(MediaFormat::kRawRgb24, 2);
  ContactSheet sheet(8, 400);
  EXPECT_FALSE(sheet.Render(MakeStarted(v1::OUTPUT_FORMAT_RAW_RGB24), "").ok());
  for (const Chunk& chunk : recorded.chunks) sheet.Add(chunk);
  auto picture = sheet.Render(MakeStarted(v1::OUTPUT_FORMAT_RAW_RGB24), "");
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->width, kWidth);
}

TEST(ContactSheet, HasNoMorePicturesThanFrames) {
  const Recorded recorded = Record(MediaFormat::kRawRgb24, 1);
  for (int wanted : {1, 4, 9}) {
    ContactSheet sheet(wanted, 4);
    sheet.Add(recorded.chunks[0]);
    auto picture = sheet.Render(MakeStarted(v1::OUTPUT_FORMAT_RAW_RGB24), "");
    ASSERT_TRUE(picture.ok()) << picture.status();
    EXPECT_EQ(picture->width, wanted == 1 ? kWidth : 2 * kWidth + 2);
  }
}

TEST(ContactSheet, RefusesMediaThatIsNone) {
  Recorded recorded = Record(MediaFormat::kH264Fmp4, 1);
  recorded.chunks[0].media[0].data = "not a fragment";
  ContactSheet sheet(1, 4);
  sheet.Add(recorded.chunks[0]);
  EXPECT_FALSE(
      sheet.Render(MakeStarted(v1::OUTPUT_FORMAT_H264_FMP4), recorded.init)
          .ok());
}

TEST(EncodePng, IsLossless) {
  const Picture picture{kWidth, kHeight, FakeServer::Frame(3, 9, "forward")};
  auto png = EncodePng(picture);
  ASSERT_TRUE(png.ok()) << png.status();
  EXPECT_EQ(png->substr(1, 3), "PNG");
  auto decoded = DecodePictures(*png);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_EQ(decoded->size(), 1);
  EXPECT_EQ((*decoded)[0].width, kWidth);
  EXPECT_EQ((*decoded)[0].rgb, picture.rgb);
}

TEST(DecodePictures, RefusesWhatIsNoMedia) {
  for (const char* text : {"", "x", "hello, I am a text and no picture"}) {
    EXPECT_FALSE(DecodePictures(text).ok());
  }
}

}  // namespace
}  // namespace qvg
