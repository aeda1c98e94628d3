#include "cache/prefix_key.h"

#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace qvg {
namespace {

PrefixKey ARoot() {
  return PrefixKey::Root("tinyworld-1", "opq:span_chunks=1", 7, 3, "a maze");
}

// Computed with Python's hashlib from the description in the header.
TEST(PrefixKeyTest, HasTheDocumentedValues) {
  const PrefixKey root = ARoot();
  EXPECT_EQ(root.Hex(),
            "ad61b63eca86ced16450d25af935cb5b2cc93cc03e8fc219c19ea5586b4eac40");
  const PrefixKey next = root.Next(absl::string_view("\0\1", 2));
  EXPECT_EQ(next.Hex(),
            "9461ae9065f99a2fa7fb9411c928fc526864008f0ebc8c96050db2c894543674");
  EXPECT_EQ(next.Derive("kmeans", 5), 17732131195149831756u);
}

TEST(PrefixKeyTest, SameFieldsGiveTheSameKey) {
  EXPECT_EQ(ARoot(), ARoot());
  EXPECT_EQ(ARoot().Next("w").Next("a"), ARoot().Next("w").Next("a"));
}

TEST(PrefixKeyTest, EveryFieldCounts) {
  std::set<std::string> keys = {
      PrefixKey().Hex(),
      PrefixKey::Root("m", "c", 1, 2, "p").Hex(),
      PrefixKey::Root("m2", "c", 1, 2, "p").Hex(),
      PrefixKey::Root("m", "c2", 1, 2, "p").Hex(),
      PrefixKey::Root("m", "c", 2, 2, "p").Hex(),
      PrefixKey::Root("m", "c", 1, 3, "p").Hex(),
      PrefixKey::Root("m", "c", 1, 2, "p2").Hex(),
      PrefixKey::Root("m", "c", 2, 1, "p").Hex(),
  };
  EXPECT_EQ(keys.size(), 8u);
}

TEST(PrefixKeyTest, BytesDoNotSlideBetweenFields) {
  EXPECT_NE(PrefixKey::Root("ab", "c", 0, 0, ""),
            PrefixKey::Root("a", "bc", 0, 0, ""));
  EXPECT_NE(PrefixKey::Root("a", "", 0, 0, "b"),
            PrefixKey::Root("a", "b", 0, 0, ""));
  EXPECT_NE(ARoot().Next("ab").Next("c"), ARoot().Next("a").Next("bc"));
  EXPECT_NE(ARoot().Next(""), ARoot());
}

TEST(PrefixKeyTest, DerivedSeedsDiffer) {
  std::set<uint64_t> seeds;
  const std::vector<PrefixKey> keys = {ARoot(), ARoot().Next("w")};
  for (const PrefixKey& key : keys) {
    for (const char* purpose : {"kmeans", "noise"}) {
      for (uint64_t i = 0; i < 100; ++i) {
        seeds.insert(key.Derive(purpose, i));
      }
    }
  }
  EXPECT_EQ(seeds.size(), 400u);
}

TEST(PrefixKeyTest, HexIsSixtyFourDigits) {
  EXPECT_EQ(PrefixKey().Hex(), std::string(64, '0'));
  EXPECT_EQ(ARoot().Hex().size(), 64u);
}

}  // namespace
}  // namespace qvg
