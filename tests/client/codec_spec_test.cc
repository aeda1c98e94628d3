#include "client/codec_spec.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using testing::HasSubstr;

TEST(ParseCodecSpec, SetsOnlyTheFieldsThatAreNamed) {
  auto spec = ParseCodecSpec("qvg:bits=4,block=32");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->codec(), "qvg");
  EXPECT_EQ(spec->bits(), 4);
  EXPECT_EQ(spec->block(), 32);
  EXPECT_FALSE(spec->has_centroids());
  EXPECT_FALSE(spec->has_tail_chunks());
  EXPECT_FALSE(spec->has_unpacked());
}

TEST(ParseCodecSpec, KnowsEveryField) {
  const std::string text =
      "qvg:bits=2,block=16,centroids=256,stages=4,iterations=5,tail_chunks=1,"
      "sink_chunks=0,unpacked=f32,span_chunks=2";
  auto spec = ParseCodecSpec(text);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->unpacked(), v1::ELEMENT_TYPE_F32);
  EXPECT_TRUE(spec->has_sink_chunks());
  EXPECT_EQ(CodecSpecText(*spec), text);
  EXPECT_EQ(v1::CacheSpec::descriptor()->field_count(), 10);
}

TEST(ParseCodecSpec, TakesHyphensAndBareNames) {
  EXPECT_EQ(CodecSpecText(*ParseCodecSpec("bf16")), "bf16");
  EXPECT_EQ(CodecSpecText(*ParseCodecSpec("rtn:tail-chunks=3")),
            "rtn:tail_chunks=3");
}

struct BadSpec {
  const char* text;
  const char* message;
};

class BadCodecTest : public testing::TestWithParam<BadSpec> {};

TEST_P(BadCodecTest, IsRefusedWithItsField) {
  auto spec = ParseCodecSpec(GetParam().text);
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(spec.status().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BadCodecTest,
    testing::Values(BadSpec{"", "CODEC"}, BadSpec{":bits=2", "CODEC"},
                    BadSpec{"qvg:", "no field \"\""},
                    BadSpec{"qvg:bits", "field bits is \"\""},
                    BadSpec{"qvg:bits=", "field bits is \"\""},
                    BadSpec{"qvg:bits=two", "field bits is \"two\""},
                    BadSpec{"qvg:bits=-2", "field bits is \"-2\""},
                    BadSpec{"qvg:bits=2,,block=16", "no field \"\""},
                    BadSpec{"qvg:speed=3", "no field \"speed\""},
                    BadSpec{"qvg:codec=rtn", "no field \"codec\""},
                    BadSpec{"bf16:unpacked=f64", "unpacked is \"f64\""},
                    BadSpec{"bf16:unpacked=unspecified", "unpacked is"}));

}  // namespace
}  // namespace qvg
