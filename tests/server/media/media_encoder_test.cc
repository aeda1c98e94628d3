#include "server/media/media_encoder.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using testing::HasSubstr;

MediaSpec Spec(MediaFormat format) {
  MediaSpec spec;
  spec.format = format;
  spec.width = 32;
  spec.height = 16;
  spec.fps_numerator = 16;
  return spec;
}

std::vector<uint8_t> Counting(size_t bytes) {
  std::vector<uint8_t> data(bytes);
  for (size_t i = 0; i < bytes; ++i) data[i] = i * 7;
  return data;
}

TEST(RawEncoder, PassesFramesThrough) {
  auto encoder = NewMediaEncoder(Spec(MediaFormat::kRawRgb24));
  ASSERT_TRUE(encoder.ok()) << encoder.status();
  EXPECT_EQ((*encoder)->InitSegment(), "");
  const std::vector<uint8_t> rgb = Counting(2 * 32 * 16 * 3);
  auto units = (*encoder)->Encode(rgb);
  ASSERT_TRUE(units.ok()) << units.status();
  ASSERT_EQ(units->size(), 1);
  EXPECT_EQ((*units)[0].frame_index, 0);
  EXPECT_EQ((*units)[0].data, std::string(rgb.begin(), rgb.end()));
}

TEST(RawEncoder, IsAlwaysSupported) {
  EXPECT_TRUE(MediaFormatSupported(MediaFormat::kRawRgb24));
}

TEST(MediaEncoder, UnsupportedFormatsSaySo) {
  for (MediaFormat format : {MediaFormat::kH264Fmp4, MediaFormat::kJpeg}) {
    auto encoder = NewMediaEncoder(Spec(format));
    if (MediaFormatSupported(format)) {
      EXPECT_TRUE(encoder.ok()) << encoder.status();
    } else {
      EXPECT_EQ(encoder.status().code(), absl::StatusCode::kUnimplemented);
      EXPECT_THAT(encoder.status().message(), HasSubstr("output_format"));
    }
  }
}

TEST(MediaEncoder, RefusesPartsOfFramesAndGoesOn) {
  for (MediaFormat format :
       {MediaFormat::kH264Fmp4, MediaFormat::kJpeg, MediaFormat::kRawRgb24}) {
    if (!MediaFormatSupported(format)) continue;
    auto encoder = NewMediaEncoder(Spec(format));
    ASSERT_TRUE(encoder.ok()) << encoder.status();
    for (size_t bytes : {0, 1, 32 * 16 * 3 - 1, 32 * 16 * 3 + 1}) {
      auto units = (*encoder)->Encode(Counting(bytes));
      EXPECT_EQ(units.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(units.status().message(), HasSubstr("1536"));
    }
    EXPECT_TRUE((*encoder)->Encode(Counting(1536)).ok());
  }
}

struct BadSpec {
  const char* field;
  void (*spoil)(MediaSpec&);
};

class BadSpecTest : public testing::TestWithParam<BadSpec> {};

TEST_P(BadSpecTest, IsRefusedWithItsField) {
  MediaSpec spec = Spec(MediaFormat::kRawRgb24);
  GetParam().spoil(spec);
  const absl::Status status = NewMediaEncoder(spec).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr(GetParam().field));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, BadSpecTest,
    testing::Values(
        BadSpec{"width", [](MediaSpec& s) { s.width = 0; }},
        BadSpec{"width", [](MediaSpec& s) { s.width = 1 << 20; }},
        BadSpec{"height", [](MediaSpec& s) { s.height = -4; }},
        BadSpec{"fps_numerator", [](MediaSpec& s) { s.fps_numerator = 0; }},
        BadSpec{"fps_denominator", [](MediaSpec& s) { s.fps_denominator = 0; }},
        BadSpec{"h264_crf", [](MediaSpec& s) { s.h264_crf = 52; }},
        BadSpec{"jpeg_quality", [](MediaSpec& s) { s.jpeg_quality = 0; }},
        BadSpec{"height", [](MediaSpec& s) {
                  s.format = MediaFormat::kH264Fmp4;
                  s.height = 15;
                }}));

}  // namespace
}  // namespace qvg
