#include "cache/sha256.h"

#include "gtest/gtest.h"

namespace qvg {
namespace {

// FIPS 180-4 example values.
TEST(Sha256, MatchesThePublishedDigests) {
  EXPECT_EQ(Hex(Sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(Sha256("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, BytesAndTextAreTheSame) {
  const uint8_t bytes[] = {'a', 'b', 'c'};
  EXPECT_EQ(Sha256(absl::MakeConstSpan(bytes)), Sha256("abc"));
}

}  // namespace
}  // namespace qvg
