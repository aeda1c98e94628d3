#include "cache/cache_spec.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace qvg {
namespace {

using ::testing::HasSubstr;

TEST(CacheSpec, ParsesACodecAlone) {
  const absl::StatusOr<CacheSpec> spec = ParseCacheSpec("opq");
  ASSERT_TRUE(spec.ok());
  CacheSpec expected;
  expected.codec = "opq";
  EXPECT_EQ(*spec, expected);
  EXPECT_EQ(ToString(*spec), "opq");
}

TEST(CacheSpec, ParsesEveryField) {
  const std::string text =
      "qvg:bits=4,block=32,centroids=128,stages=2,iterations=7,span_chunks=3,"
      "tail_chunks=1,sink_chunks=2,unpacked=f32";
  const absl::StatusOr<CacheSpec> spec = ParseCacheSpec(text);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->codec, "qvg");
  EXPECT_EQ(spec->bits, 4);
  EXPECT_EQ(spec->block, 32);
  EXPECT_EQ(spec->centroids, 128);
  EXPECT_EQ(spec->stages, 2);
  EXPECT_EQ(spec->iterations, 7);
  EXPECT_EQ(spec->span_chunks, 3);
  EXPECT_EQ(spec->tail_chunks, 1);
  EXPECT_EQ(spec->sink_chunks, 2);
  EXPECT_EQ(spec->unpacked, ElementType::kF32);
  EXPECT_EQ(ToString(*spec), text);
}

TEST(CacheSpec, PrintsInOneOrder) {
  EXPECT_EQ(ToString(*ParseCacheSpec("rtn:sink_chunks=0,unpacked=bf16,bits=2")),
            "rtn:bits=2,sink_chunks=0");
  // 0 is a length, and differs from a default.
  EXPECT_NE(*ParseCacheSpec("rtn:tail_chunks=0"), *ParseCacheSpec("rtn"));
}

TEST(CacheSpec, RefusesWithTheFieldsName) {
  const auto error = [](absl::string_view text) {
    const absl::StatusOr<CacheSpec> spec = ParseCacheSpec(text);
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << text;
    return std::string(spec.status().message());
  };
  EXPECT_THAT(error(""), HasSubstr("no codec"));
  EXPECT_THAT(error(":bits=2"), HasSubstr("no codec"));
  EXPECT_THAT(error("qvg:"), HasSubstr("unknown field ''"));
  EXPECT_THAT(error("qvg:bits=2,"), HasSubstr("unknown field ''"));
  EXPECT_THAT(error("qvg:bit=2"), HasSubstr("unknown field 'bit'"));
  EXPECT_THAT(error("qvg:bit=2"), HasSubstr("span_chunks"));
  EXPECT_THAT(error("qvg:bits"), HasSubstr("bits: ''"));
  EXPECT_THAT(error("qvg:bits=two"), HasSubstr("bits: 'two'"));
  EXPECT_THAT(error("qvg:bits=0"), HasSubstr("at least 1"));
  EXPECT_THAT(error("qvg:tail_chunks=-1"), HasSubstr("at least 0"));
  EXPECT_THAT(error("qvg:block=99999999999"), HasSubstr("block"));
  EXPECT_THAT(error("qvg:bits=2,bits=4"), HasSubstr("bits: given twice"));
  EXPECT_THAT(error("qvg:unpacked=f16"), HasSubstr("bf16 or f32"));
}

}  // namespace
}  // namespace qvg
