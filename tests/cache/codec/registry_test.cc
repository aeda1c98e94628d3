#include "cache/codec/registry.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cache/codec/random_opq_tables.h"

namespace qvg {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// TinyWorld's: layers with a window between those without.
KvLayout Layout() {
  KvLayout layout;
  layout.heads = 4;
  layout.head_dim = 64;
  layout.tokens_per_chunk = 128;
  layout.window_chunks = {3, 0, 3, 0};
  return layout;
}

std::string Resolved(absl::string_view text, const KvLayout& layout = Layout(),
                     const OpqTables* tables = nullptr) {
  const absl::StatusOr<CacheSpec> spec =
      ResolveCacheSpec(*ParseCacheSpec(text), layout, tables);
  return spec.ok() ? ToString(*spec) : std::string(spec.status().message());
}

TEST(Registry, ListsItsCodecs) {
  std::vector<std::string> names;
  for (const CodecInfo& info : Codecs()) names.push_back(info.name);
  EXPECT_THAT(names,
              ElementsAre("bf16", "qvg", "qvg-minmax", "qvg-search", "qvg-four",
                          "qvg-four-search", "qvg-base3", "qvg-search-base3",
                          "rtn", "kivi", "quarot", "opq"));
}

TEST(Registry, FillsInDefaults) {
  const auto tables = RandomOpqTables(2, 4, 64, 1);
  EXPECT_EQ(Resolved("bf16"), "bf16:span_chunks=1,tail_chunks=0,sink_chunks=0");
  EXPECT_EQ(Resolved("bf16:unpacked=f32"),
            "bf16:span_chunks=1,tail_chunks=0,sink_chunks=0,unpacked=f32");
  EXPECT_EQ(Resolved("qvg"),
            "qvg:bits=2,block=64,centroids=64,stages=1,iterations=5,"
            "span_chunks=4,tail_chunks=0,sink_chunks=0");
  EXPECT_EQ(Resolved("rtn:tail_chunks=2"),
            "rtn:bits=2,block=16,span_chunks=1,tail_chunks=2,sink_chunks=0");
  EXPECT_EQ(Resolved("qvg-four"),
            "qvg-four:bits=2,block=64,centroids=64,stages=1,iterations=5,"
            "span_chunks=4,tail_chunks=0,sink_chunks=0");
  EXPECT_EQ(Resolved("kivi"),
            "kivi:bits=2,block=32,span_chunks=1,tail_chunks=0,sink_chunks=0");
  EXPECT_EQ(Resolved("quarot:bits=4"),
            "quarot:bits=4,span_chunks=1,tail_chunks=0,sink_chunks=0");
  EXPECT_EQ(Resolved("opq", Layout(), tables.get()),
            "opq:span_chunks=1,tail_chunks=0,sink_chunks=0");
}

// A chunk of a large model is span enough, and fills a large codebook.
TEST(Registry, DefaultsFollowTheLayout) {
  KvLayout layout = Layout();
  layout.tokens_per_chunk = 4680;
  EXPECT_THAT(Resolved("qvg", layout), HasSubstr("centroids=256"));
  EXPECT_THAT(Resolved("qvg", layout), HasSubstr("span_chunks=1"));
  layout.tokens_per_chunk = 1;
  EXPECT_THAT(Resolved("qvg", layout), HasSubstr("span_chunks=64"));
  EXPECT_THAT(Resolved("qvg", layout), HasSubstr("centroids=16"));
  EXPECT_THAT(Resolved("qvg:span_chunks=8"), HasSubstr("centroids=128"));
}

TEST(Registry, ResolvingTwiceChangesNothing) {
  for (const char* text : {"bf16", "qvg", "qvg-minmax:bits=4", "qvg-search",
                           "qvg-four", "qvg-four-search", "qvg-base3:stages=2",
                           "rtn", "kivi:block=16", "quarot"}) {
    const std::string once = Resolved(text);
    EXPECT_EQ(Resolved(once), once);
  }
}

TEST(Registry, RefusesWithFieldValueAndLimit) {
  EXPECT_EQ(Resolved("qvg:bits=3"),
            "cache_spec.bits: 3; must be one of 2, 4 for codec 'qvg'");
  EXPECT_THAT(Resolved("rtn:block=48"), HasSubstr("block: 48"));
  for (const std::string codec : {"qvg-search", "qvg-four", "qvg-four-search",
                                  "qvg-base3", "qvg-search-base3"}) {
    EXPECT_EQ(Resolved(codec + ":bits=4"),
              "cache_spec.bits: 4; must be one of 2 for codec '" + codec + "'");
  }
  EXPECT_THAT(Resolved("quarot:block=64"),
              HasSubstr("block: 64; must be left out"));
  EXPECT_THAT(Resolved("kivi:block=128"), HasSubstr("block: 128"));
  EXPECT_THAT(Resolved("kivi:centroids=4"), HasSubstr("centroids"));
  EXPECT_THAT(Resolved("qvg:centroids=257"), HasSubstr("1 to 256"));
  EXPECT_THAT(Resolved("qvg:stages=5"), HasSubstr("stages: 5; must be 1 to 4"));
  EXPECT_THAT(Resolved("qvg:iterations=101"), HasSubstr("1 to 100"));
  EXPECT_THAT(Resolved("bf16:bits=2"), HasSubstr("bits: 2; must be left out"));
  EXPECT_THAT(Resolved("bf16:block=16"), HasSubstr("block"));
  EXPECT_THAT(Resolved("rtn:centroids=4"), HasSubstr("centroids"));
  EXPECT_THAT(Resolved("rtn:stages=1"), HasSubstr("stages"));
  EXPECT_THAT(Resolved("rtn:iterations=1"), HasSubstr("iterations"));
  EXPECT_THAT(Resolved("rtn:span_chunks=65"), HasSubstr("span_chunks: 65"));
  EXPECT_THAT(Resolved("rtn:tail_chunks=65"), HasSubstr("0 to 64"));
  EXPECT_THAT(Resolved("rtn:sink_chunks=65"), HasSubstr("sink_chunks"));
  CacheSpec negative = *ParseCacheSpec("qvg");
  negative.centroids = -5;
  EXPECT_EQ(ResolveCacheSpec(negative, Layout(), nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Registry, UnknownCodecsGetTheList) {
  CacheSpec spec;
  spec.codec = "zip";
  const absl::Status status =
      ResolveCacheSpec(spec, Layout(), nullptr).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("'zip' is unknown; known: bf16, qvg"));
}

TEST(Registry, OpqNeedsCodebooksThatFit) {
  const CacheSpec spec = *ParseCacheSpec("opq");
  const auto code = [&](const OpqTables* tables) {
    return ResolveCacheSpec(spec, Layout(), tables).status().code();
  };
  EXPECT_EQ(code(nullptr), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(RandomOpqTables(4, 4, 64, 1).get()),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(RandomOpqTables(2, 3, 64, 1).get()),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(RandomOpqTables(2, 4, 64, 1).get()), absl::StatusCode::kOk);
}

TEST(Registry, RefusesLayoutsThatKernelsCannotRead) {
  KvLayout layout = Layout();
  layout.head_dim = 96;
  EXPECT_THAT(Resolved("bf16", layout), HasSubstr("layout"));
  layout = Layout();
  layout.heads = 0;
  EXPECT_THAT(Resolved("qvg", layout), HasSubstr("layout"));
}

TEST(Registry, MakesOnlyResolvedCodecs) {
  const absl::StatusOr<std::unique_ptr<Codec>> codec =
      MakeCodec(*ParseCacheSpec("qvg"), Layout(), nullptr);
  EXPECT_EQ(codec.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(codec.status().message()),
              HasSubstr("is not resolved"));
}

}  // namespace
}  // namespace qvg
